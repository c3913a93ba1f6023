"""A client of raw frames, which sends what h2 refuses to send."""

from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.errors import ErrorCode
from cloudserve.local_server.transport.http2.wire.frames import FrameReader
from cloudserve.local_server.transport.http2.wire.header_blocks import encode

GREETING = frames.PREFACE + frames.frame(frames.SETTINGS, 0, 0)
BLOCK = encode([(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/")])


class RawClient:
    def __init__(self, served, greeting=GREETING):
        self.socket = served.raw()
        self.reader = FrameReader(frames.MAX_FRAME_SIZE)
        self.frames = []
        self.send(greeting)

    def send(self, data):
        self.socket.sendall(data)

    def request(self, number, body=b"x", block=BLOCK):
        return frames.header_frames(number, block, end=False, max_size=16384) + frames.frame(
            frames.DATA, frames.END_STREAM, number, body
        )

    def receive(self):
        data = self.socket.recv(65536)
        self.frames += self.reader.feed(data)
        return bool(data)

    def until(self, kind, nth=1, number=None):
        """Return the payload of the nth frame of a kind."""
        while True:
            results = [p for k, _, n, p in self.frames if k == kind and number in {None, n}]
            if len(results) >= nth:
                return results[nth - 1]
            if not self.receive():
                raise EOFError(self.frames)

    def to_end(self):
        while self.receive():
            pass

    def refused(self):
        """Return the code and text of the GOAWAY that ends the connection."""
        away = self.until(frames.GOAWAY)
        self.to_end()
        return ErrorCode(int.from_bytes(away[4:8], "big")).name, away[8:].decode()

    def reset(self, number):
        """Return the code of the RST_STREAM of a stream."""
        return ErrorCode(int.from_bytes(self.until(frames.RST_STREAM, number=number), "big")).name
