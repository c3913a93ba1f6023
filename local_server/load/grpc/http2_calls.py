"""Slots whose gRPC calls share a few HTTP/2 connections, as those of a client do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from cloudserve.bench.target import Target

from ..measurement.slots import REFUSED, TIMEOUT
from .http2_channel import Http2Channel

CALLS_PER_CHANNEL = 64
"""Below the 100 concurrent streams that servers allow by default."""
_RETRY_SECONDS = 0.05


class SharedChannel:
    """A connection for several slots, made again when it is lost."""

    def __init__(self, target: Target, head: bytes) -> None:
        self._target = target
        self._head = head
        self._channel: Http2Channel | None = None
        self._opening: asyncio.Task[None] | None = None

    @property
    def channel(self) -> Http2Channel | None:
        """Return the connection; None while there is none."""
        return self._channel

    async def open(self) -> None:
        """Connect, or wait for the attempt in progress. Raises OSError."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._connect())
            self._opening.add_done_callback(self._opened)
        await asyncio.shield(self._opening)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, self._channel = await loop.create_connection(
            lambda: Http2Channel(self._head, self._forget), self._target.host, self._target.port
        )

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()  # each waiting slot reports it

    def _forget(self, channel: Http2Channel) -> None:
        if channel is self._channel:
            self._channel = None

    def close(self) -> None:
        """Drop the connection."""
        if self._opening is not None:
            self._opening.cancel()
        if self._channel is not None:
            self._channel.close()


class CallSlot:
    """One call in flight on a shared connection; see Slot."""

    def __init__(self, shared: SharedChannel) -> None:
        self.done: Callable[[Any, str | None], None] = lambda _slot, _failure: None
        self.intended = 0
        self._shared = shared
        self._channel: Http2Channel | None = None
        self._number = 0
        self._sent = 0
        self._connecting: asyncio.Task[None] | None = None

    def send(self, request: bytes) -> None:
        """Start a call with a prefixed message; see Slot."""
        self._sent = time.perf_counter_ns()
        self._channel = self._shared.channel
        if self._channel is None:
            self._connecting = asyncio.ensure_future(self._open_and_send(request))
        else:
            self._number = self._channel.begin(request, self._finish)

    async def _open_and_send(self, request: bytes) -> None:
        try:
            await self._shared.open()
        except OSError:
            # Without a pause the next attempt would fail immediately: a busy loop.
            await asyncio.sleep(_RETRY_SECONDS)
            self._finish(REFUSED)
            return
        self._channel = self._shared.channel
        if self._channel is None:
            self._finish(REFUSED)
        elif self._sent:
            self._number = self._channel.begin(request, self._finish)

    def _finish(self, failure: str | None) -> None:
        if self._sent:
            self._sent = 0
            self.done(self, failure)

    def expire(self, before: int) -> None:
        """Cancel a call that was sent before this time; see Slot."""
        if 0 < self._sent < before:
            if self._connecting is not None:
                self._connecting.cancel()
            if self._channel is not None:
                self._channel.cancel(self._number)
            self._finish(TIMEOUT)

    def close(self) -> None:
        """Forget the call in flight."""
        self._sent = 0
        if self._connecting is not None:
            self._connecting.cancel()
