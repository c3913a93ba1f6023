"""State shared by the connections of one server, and the work in flight."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from .limits import Http2Limits
from .memory import Memory
from .stream import Application


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


class ServerState:
    """The application, its limits, its connections and its tasks."""

    __slots__ = ("_quiet", "app", "connections", "limits", "loop", "memory", "running")

    def __init__(
        self, app: Application, limits: Http2Limits, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.app = app
        self.limits = limits
        self.loop = loop
        self.memory = Memory(limits.memory)
        self.connections: set[ServerConnection] = set()
        self.running: set[asyncio.Task[Any]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def join(self, connection: ServerConnection) -> None:
        """Add a connection."""
        self.connections.add(connection)
        self._quiet.clear()

    def leave(self, connection: ServerConnection) -> None:
        """Remove a connection."""
        self.connections.discard(connection)
        self._check_quiet()

    def run(self, task: asyncio.Task[Any]) -> None:
        """Keep a task until it is done; it may outlive its connection."""
        self.running.add(task)
        self._quiet.clear()
        task.add_done_callback(self._ran)

    async def quiet(self) -> None:
        """Wait until no connection is open and no task runs."""
        await self._quiet.wait()

    def _ran(self, task: asyncio.Task[Any]) -> None:
        self.running.discard(task)
        self._check_quiet()

    def _check_quiet(self) -> None:
        if not (self.connections or self.running):
            self._quiet.set()
