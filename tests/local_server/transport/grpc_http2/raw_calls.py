"""A client of raw gRPC frames within the loop: incomplete calls, and calls without windows."""

import asyncio
from contextlib import asynccontextmanager

from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.header_blocks import encode
from google.protobuf.wrappers_pb2 import StringValue
from hpack import Decoder

from ..grpc.grpc_echo import SERVICE

END_STREAM, END_HEADERS = frames.END_STREAM, frames.END_HEADERS
SETTINGS = frames.frame(frames.SETTINGS, 0, 0)


def message_of(text):
    """Return a framed message with a string."""
    message = StringValue(value=text).SerializeToString()
    return b"\0" + len(message).to_bytes(4, "big") + message


def request_fields(method, *fields):
    path = method if method.startswith("/") else f"/{SERVICE}/{method}"
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b"content-type", b"application/grpc"),
        *fields,
    ]


class RawCalls:
    """One connection, and what the server sent on it."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.cut = frames.FrameReader(frames.MAX_FRAME_SIZE)
        self.decoder = Decoder()
        self.number = -1
        self.headers = {}
        self.ended = set()
        self.data = {}
        self.others = []

    def begin(self, method, *fields, end=False):
        """Send the head of a call; return its number."""
        self.number += 2
        flags = END_HEADERS | (END_STREAM if end else 0)
        block = encode(request_fields(method, *fields))
        self.writer.write(frames.frame(frames.HEADERS, flags, self.number, block))
        return self.number

    def send(self, number, body, *, end=False):
        parts = [body[at : at + 16_384] for at in range(0, len(body), 16_384)] or [b""]
        for part in parts[:-1]:
            self.writer.write(frames.frame(frames.DATA, 0, number, part))
        flags = END_STREAM if end else 0
        self.writer.write(frames.frame(frames.DATA, flags, number, parts[-1]))

    def write(self, data):
        self.writer.write(data)

    async def receive(self):
        """Receive some frames. Raises EOFError at the end of the connection."""
        data = await self.reader.read(65_536)
        if not data:
            raise EOFError
        for kind, flags, number, payload in self.cut.feed(data):
            if kind == frames.HEADERS:
                fields = self.decoder.decode(payload, raw=True)
                known = self.headers.setdefault(number, {})
                known.update({k.decode(): v.decode() for k, v in fields})
                if flags & END_STREAM:
                    self.ended.add(number)
            elif kind == frames.DATA:
                self.data[number] = self.data.get(number, b"") + payload
            else:
                self.others.append((kind, flags, number, bytes(payload)))

    async def status(self, number):
        """Return the status and message of a call when it has ended."""
        while number not in self.ended:
            await self.receive()
        headers = self.headers[number]
        return int(headers["grpc-status"]), headers.get("grpc-message", "")

    async def synchronize(self):
        """Wait until the server has handled all frames sent so far."""
        before = len(self.others)
        self.writer.write(frames.ping(b"handled?"))
        while not any(kind == frames.PING for kind, *_ in self.others[before:]):
            await self.receive()


@asynccontextmanager
async def raw_calls(server, settings=SETTINGS):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(frames.PREFACE + settings + frames.window_update(0, 2**30))
    try:
        yield RawCalls(reader, writer)
    finally:
        writer.transport.abort()
