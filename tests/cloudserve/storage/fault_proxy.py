"""A TCP proxy that treats each connection badly, as a plan says: cuts, flips, delays, answers."""

from __future__ import annotations

import asyncio
import gc
import itertools
import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

BLOCK = 64 << 10


@dataclass(frozen=True)
class Fault:
    """What is done to one connection; positions are in bytes of what the client sends."""

    cut_at: int | None = None
    flip_at: int | None = None
    stall_at: int | None = None
    flip_answer_at: int | None = None
    cut_answer_at: int | None = None
    stall_answer_at: int | None = None
    delay: float = 0.0
    status: int | None = None
    retry_after: str = ""


GOOD = Fault()
Plan = Callable[[int], Fault]
"""Takes a connection's number, from 0."""


@dataclass
class FaultProxy:
    """Forwards to a port of this machine; `sent` counts what clients sent on."""

    upstream: int
    plan: Plan = field(default=lambda number: GOOD)
    sent: int = 0
    port: int = 0
    stalled: threading.Event = field(default_factory=threading.Event)

    def __enter__(self):
        # The clouds' clients leave the sockets of broken answers to the garbage collector, which
        # may run at any time.
        self._quiet = warnings.catch_warnings()
        self._quiet.__enter__()
        warnings.simplefilter("ignore", ResourceWarning)
        self._numbers = itertools.count()
        self._writers = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        gc.collect()
        self._quiet.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hang_up(self):
        """Cut all connections that there are."""
        self._call(self._abort_all())

    async def _abort_all(self):
        for writer in self._writers:
            writer.transport.abort()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _stop(self):
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._abort_all()  # a task that was cancelled before it began closed nothing
        await asyncio.gather(*(w.wait_closed() for w in self._writers), return_exceptions=True)
        for _ in range(5):  # aborted transports close in the loop's next turns
            await asyncio.sleep(0)

    def _accept(self, reader, writer):
        self._writers.append(writer)
        return self._serve(reader, writer)

    async def _serve(self, reader, writer):
        fault = self.plan(next(self._numbers))
        try:
            await asyncio.sleep(fault.delay)
            if fault.status is not None:
                await _answer(reader, writer, fault)
            else:
                await self._forward(reader, writer, fault)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # a side hung up, or the test is over
        finally:
            writer.transport.abort()

    async def _forward(self, reader, writer, fault):
        existing, onward = await asyncio.open_connection("127.0.0.1", self.upstream)
        self._writers.append(onward)
        sides = [
            asyncio.ensure_future(self._pump_out(reader, onward, fault)),
            asyncio.ensure_future(_pump_back(existing, writer, fault)),
        ]
        try:
            await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)
            onward.transport.abort()

    async def _pump_out(self, reader, onward, fault):
        position = 0
        while data := await reader.read(BLOCK):
            data = _flipped(data, fault.flip_at, position)
            if fault.stall_at is not None and position + len(data) > fault.stall_at:
                self.stalled.set()
                await asyncio.sleep(3600)  # until it is cancelled
            if fault.cut_at is not None and position + len(data) > fault.cut_at:
                data = data[: fault.cut_at - position]
                onward.write(data)
                await onward.drain()
                return
            onward.write(data)
            await onward.drain()
            position += len(data)
            self.sent += len(data)


async def _pump_back(reader, writer, fault):
    position = 0
    while data := await reader.read(BLOCK):
        data = _flipped(data, fault.flip_answer_at, position)
        if fault.stall_answer_at is not None and position > fault.stall_answer_at:
            await asyncio.sleep(3600)  # until it is cancelled
        if fault.cut_answer_at is not None and position + len(data) > fault.cut_answer_at:
            writer.write(data[: fault.cut_answer_at - position])
            await writer.drain()
            return
        writer.write(data)
        await writer.drain()
        position += len(data)


def _flipped(data: bytes, at: int | None, position: int) -> bytes:
    if at is None or not position <= at < position + len(data):
        return data
    changed = bytearray(data)
    changed[at - position] ^= 0x01
    return bytes(changed)


async def _answer(reader, writer, fault):
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if length and b"100-continue" not in head:
        await reader.readexactly(int(length[1]))
    after = f"Retry-After: {fault.retry_after}\r\n" if fault.retry_after else ""
    head = f"HTTP/1.1 {fault.status} No\r\n{after}Connection: close\r\nContent-Length: 0\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
