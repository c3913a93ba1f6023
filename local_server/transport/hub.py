"""What the connections of one server share, and the count of what is still going on."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from .limits import Limits
from .types import Application
from .writer import DateLine


class Client(Protocol):
    """A connection, as its server sees it."""

    def stop(self) -> None:
        """Close when idle, else after the answer in flight."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...

    def sweep(self, now: float) -> None:
        """Close what has waited too long."""
        ...


class Hub:
    """The application, its limits, and all that is in flight."""

    __slots__ = ("_quiet", "app", "connections", "date", "limits", "loop", "running")

    def __init__(self, app: Application, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.limits = limits
        self.loop = loop
        self.date = DateLine()
        self.connections: set[Client] = set()
        # Handlers and file senders: the handlers may outlive their connections.
        self.running: set[asyncio.Future[Any]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def join(self, connection: Client) -> None:
        """Count a connection in."""
        self.connections.add(connection)
        self._quiet.clear()

    def leave(self, connection: Client) -> None:
        """Count a connection out."""
        self.connections.discard(connection)
        self._look()

    def run(self, future: asyncio.Future[Any]) -> None:
        """Keep a handler or a file sender until it is done."""
        self.running.add(future)
        future.add_done_callback(self._ran)

    async def quiet(self) -> None:
        """Wait until no connection is open and nothing runs."""
        await self._quiet.wait()

    def _ran(self, future: asyncio.Future[Any]) -> None:
        self.running.discard(future)
        self._look()

    def _look(self) -> None:
        if not self.connections and not self.running:
            self._quiet.set()
