"""A light gRPC client: repeats one request, with a fixed number in flight.

grpcio's own client takes more CPU per call than the native server; where both share two cores it
would measure itself. The request's header block is made once and changes no dynamic table.
"""

from __future__ import annotations

import asyncio
import time

from cloudserve.local_server.transport.http2 import frames
from cloudserve.local_server.transport.http2.frames import FrameReader
from cloudserve.local_server.transport.http2.header_blocks import encode

WINDOW = 2**31 - 1
WIDENED_AT = 2**29


class Load(asyncio.Protocol):
    """One connection with `depth` calls in flight."""

    def __init__(self, path: str, message: bytes, depth: int) -> None:
        self.block = encode(
            [
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":path", path.encode()),
                (b":authority", b"localhost"),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
            ]
        )
        self.body = b"\0" + len(message).to_bytes(4, "big") + message
        self.depth = depth
        self.reader = FrameReader(frames.MAX_FRAME_SIZE)
        self.number = 1
        self.began: dict[int, float] = {}
        self.seconds: list[float] = []
        self.failed: list[str] = []
        self.answer_size = 0
        self.taken = 0
        self.stops_at = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        settings = frames.frame(frames.SETTINGS, 0, 0, b"\0\4" + WINDOW.to_bytes(4, "big"))
        widened = frames.window_update(0, WIDENED_AT)
        transport.write(frames.PREFACE + settings + widened)

    def start(self, seconds: float) -> None:
        self.stops_at = time.perf_counter() + seconds
        self.transport.write(b"".join(self._request() for _ in range(self.depth)))

    def data_received(self, data):
        out = []
        for kind, flags, number, payload in self.reader.feed(data):
            out.append(self._take(kind, flags, number, payload))
        self.transport.write(b"".join(out))
        if not self.began and self.stops_at and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc):
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _request(self) -> bytes:
        number, self.number = self.number, self.number + 2
        self.began[number] = time.perf_counter()
        head = frames.frame(frames.HEADERS, frames.END_HEADERS, number, self.block)
        return head + frames.frame(frames.DATA, frames.END_STREAM, number, self.body)

    def _take(self, kind, flags, number, payload) -> bytes:
        out = b""
        if kind == frames.SETTINGS and not flags & frames.ACK:
            out = frames.frame(frames.SETTINGS, frames.ACK, 0)
        elif kind == frames.PING and not flags & frames.ACK:
            out = frames.ping(payload, ack=True)
        elif kind in {frames.RST_STREAM, frames.GOAWAY}:
            self.failed.append(f"{kind}: {payload!r}")
        elif kind == frames.DATA:
            self.taken += len(payload)
            self.answer_size = max(self.answer_size, len(payload))
            if len(payload) != self.answer_size and payload:
                self.failed.append(f"an answer of {len(payload)} bytes")
            if self.taken > WIDENED_AT // 2:
                out, self.taken = frames.window_update(0, self.taken), 0
        elif kind == frames.HEADERS and flags & frames.END_STREAM:
            now = time.perf_counter()
            self.seconds.append(now - self.began.pop(number))
            if now < self.stops_at:
                out = self._request()
        return out


async def measure(
    host: str, port: int, path: str, message: bytes, *, connections: int, depth: int, seconds: float
) -> tuple[float, list[float]]:
    """Return the calls a second, and the seconds of each; raises when one fails."""
    loop = asyncio.get_running_loop()
    loads = []
    for _ in range(connections):
        _, load = await loop.create_connection(lambda: Load(path, message, depth), host, port)
        loads.append(load)
    began = time.perf_counter()
    for load in loads:
        load.start(seconds)
    await asyncio.gather(*(load.done for load in loads))
    spent = time.perf_counter() - began
    for load in loads:
        load.transport.close()
        if load.failed or not load.answer_size:
            raise AssertionError(load.failed[:3] or "no answers")
    all_seconds = sorted(second for load in loads for second in load.seconds)
    return len(all_seconds) / spent, all_seconds
