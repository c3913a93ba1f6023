"""Servers that answer every request with the same bytes: the limit of a transport in Python.

`constant_servers.py rest|grpc`, the answer on standard input; prints the port. Both are asyncio
protocols on uvloop that do no more than a benchmark's client needs: httptools finds the end of a
request, HTTP/2 frames are distinguished by their heads.
"""

from __future__ import annotations

import asyncio
import sys

import httptools
from cloudserve.local_server.transport.http2.wire import frames
from cloudserve.local_server.transport.http2.wire.header_blocks import encode
from cloudserve.local_server.transport.loop import run

WINDOW = 2**31 - 1
HEAD = encode([(b":status", b"200"), (b"content-type", b"application/grpc")])
TRAILERS = encode([(b"grpc-status", b"0")])


class Rest(asyncio.Protocol):
    def __init__(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self.answer = head.encode() + b"\r\n\r\n" + body
        self.parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_message_complete(self):
        self.transport.write(self.answer)


class Grpc(asyncio.Protocol):
    def __init__(self, message: bytes) -> None:
        self.body = b"\0" + len(message).to_bytes(4, "big") + message
        self.reader = frames.FrameReader(frames.MAX_FRAME_SIZE)
        self.taken = 0

    def connection_made(self, transport):
        self.transport = transport
        settings = frames.frame(frames.SETTINGS, 0, 0, b"\0\4" + WINDOW.to_bytes(4, "big"))
        transport.write(settings + frames.window_update(0, WINDOW // 2))
        self.begun = False

    def data_received(self, data):
        if not self.begun:
            self.begun = True
            data = data.removeprefix(frames.PREFACE)
        out = []
        for kind, flags, number, payload in self.reader.feed(data):
            if kind == frames.DATA:
                self.taken += len(payload)
                if flags & frames.END_STREAM:
                    out.append(self.answer(number))
            elif kind == frames.SETTINGS and not flags & frames.ACK:
                out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
            elif kind == frames.PING and not flags & frames.ACK:
                out.append(frames.ping(payload, ack=True))
        if self.taken > WINDOW // 4:
            out.append(frames.window_update(0, self.taken))
            self.taken = 0
        self.transport.write(b"".join(out))

    def answer(self, number: int) -> bytes:
        head = frames.frame(frames.HEADERS, frames.END_HEADERS, number, HEAD)
        ended = frames.END_HEADERS | frames.END_STREAM
        trailers = frames.frame(frames.HEADERS, ended, number, TRAILERS)
        return head + frames.frame(frames.DATA, 0, number, self.body) + trailers


async def serve(kind: str) -> None:
    answer = sys.stdin.buffer.read()
    protocol = {"rest": Rest, "grpc": Grpc}[kind]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(answer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    run(serve(sys.argv[1]))
