"""A closed loop of one gRPC request, on the channel of `cloudserve bench`.

grpcio's own client takes more CPU per call than the native server; where both share two cores it
would measure itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from cloudserve.local_server.load.grpc.http2_channel import Http2Channel, call_head
from cloudserve.local_server.transport.grpc_types import prefix


class Loop:
    """Repeats a request on a channel until a time; `done` is called after the last response."""

    def __init__(self, body: bytes, stops_at: float, done: Callable[[], None]) -> None:
        self.body = body
        self.stops_at = stops_at
        self.done = done
        self.in_flight = 0
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def begin(self, channel: Http2Channel) -> None:
        self.in_flight += 1
        channel.begin(self.body, partial(self.finish, channel, time.perf_counter()))

    def finish(self, channel: Http2Channel, began: float, failure: str | None) -> None:
        now = time.perf_counter()
        self.in_flight -= 1
        if failure is not None:
            self.failures.append(failure)
        else:
            self.seconds.append(now - began)
            if now < self.stops_at:
                self.begin(channel)
        if not self.in_flight:
            self.done()


async def measure(
    host: str, port: int, path: str, message: bytes, *, connections: int, depth: int, seconds: float
) -> tuple[float, list[float]]:
    """Return the calls a second, and the seconds of each, sorted; raises if one fails."""
    events = asyncio.get_running_loop()
    head = call_head(path, "localhost", ())
    channels = [
        (await events.create_connection(lambda: Http2Channel(head, lambda _: None), host, port))[1]
        for _ in range(connections)
    ]
    ended = asyncio.Event()
    began = time.perf_counter()
    loop = Loop(prefix(len(message)) + message, began + seconds, ended.set)
    for channel in channels:
        for _ in range(depth):
            loop.begin(channel)
    await ended.wait()
    spent = time.perf_counter() - began
    for channel in channels:
        channel.close()
    if loop.failures:
        raise AssertionError(loop.failures[:3])
    return len(loop.seconds) / spent, sorted(loop.seconds)
