"""The connections of one server: swept for timeouts, drained and aborted when it stops."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from cloudserve.plural import counted

logger = logging.getLogger(__name__)

_CANCELLED_SECONDS = 1.0  # for handlers to handle their cancellation


class ServerConnection(Protocol):
    """A connection, as its server sees it."""

    def stop(self) -> None:
        """Refuse new requests, and close after the responses in flight."""
        ...

    def abort(self) -> None:
        """Close immediately."""
        ...

    def sweep(self, now: float) -> None:
        """Close if a timeout has expired."""
        ...


class Connections:
    """The open connections of a server, and the work that may outlive them."""

    __slots__ = ("_quiet", "_sweeper", "connections", "loop", "running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.connections: set[ServerConnection] = set()
        # Handlers and file senders; a handler may outlive its connection.
        self.running: set[asyncio.Future[Any]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._sweeper: asyncio.TimerHandle | None = None

    def join(self, connection: ServerConnection) -> None:
        """Add a connection."""
        self.connections.add(connection)
        self._quiet.clear()

    def leave(self, connection: ServerConnection) -> None:
        """Remove a connection."""
        self.connections.discard(connection)
        self._check_quiet()

    def run(self, future: asyncio.Future[Any]) -> None:
        """Keep a handler or a file sender until it is done."""
        self.running.add(future)
        self._quiet.clear()
        future.add_done_callback(self._ran)

    async def quiet(self) -> None:
        """Wait until no connection is open and nothing runs."""
        await self._quiet.wait()

    def sweep(self, seconds: float) -> None:
        """Close connections whose timeout has expired, now and again every `seconds`."""
        now = self.loop.time()
        for connection in tuple(self.connections):
            connection.sweep(now)
        self._sweeper = self.loop.call_later(seconds, self.sweep, seconds)

    async def stop(self, drain_seconds: float) -> None:
        """Close idle connections, let requests in flight finish, and abort them then."""
        for connection in tuple(self.connections):
            connection.stop()
        try:
            await asyncio.wait_for(self.quiet(), drain_seconds)
        except TimeoutError:
            await self._abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _abort(self) -> None:
        for connection in tuple(self.connections):
            connection.abort()
        for future in tuple(self.running):
            # A future that is not a task belongs to the application and may be shared.
            if isinstance(future, asyncio.Task):
                future.cancel()
        try:
            await asyncio.wait_for(self.quiet(), _CANCELLED_SECONDS)
        except TimeoutError:
            logger.warning("%s did not end when cancelled", counted(self.unfinished, "request"))

    @property
    def unfinished(self) -> int:
        """Return how many requests have no response yet."""
        return len(self.running)

    def _ran(self, future: asyncio.Future[Any]) -> None:
        self.running.discard(future)
        self._check_quiet()

    def _check_quiet(self) -> None:
        if not (self.connections or self.running):
            self._quiet.set()
