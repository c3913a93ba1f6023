"""State shared by the connections of one server."""

from __future__ import annotations

import asyncio

from ..connections import Connections
from .limits import Http2Limits
from .memory import Memory
from .stream import Application


class ServerState(Connections):
    """The application, its limits, its connections and its tasks."""

    __slots__ = ("app", "limits", "memory")

    def __init__(
        self, app: Application, limits: Http2Limits, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(loop)
        self.app = app
        self.limits = limits
        self.memory = Memory(limits.memory)
