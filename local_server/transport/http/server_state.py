"""What the connections of one server share, and the count of what is still going on.

Requests that the loop finds in one turn are all read, then all handled, then all answered: between
system calls a processor has forgotten the code that it ran before, and a small model's request
takes twice the time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from time import perf_counter
from typing import Any, Protocol, TypeAlias

from ..limits import Limits
from ..types import Application, Request, Response
from .responses import DateLine

_log = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 2e-3
"""How long answers may wait for others that are made."""

Answer: TypeAlias = Response | Awaitable[Response] | Exception
"""What an application returned or raised."""


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


class Asker(Client, Protocol):
    """A connection that asks."""

    def take(self, request: Request, answer: Answer) -> None:
        """Take the answer to a request of its own."""
        ...


class Hub:
    """The application, its limits, and all that is in flight."""

    __slots__ = ("_asked", "_quiet", "app", "connections", "date", "limits", "loop", "running")

    def __init__(self, app: Application, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.limits = limits
        self.loop = loop
        self.date = DateLine()
        self.connections: set[Client] = set()
        # Handlers and file senders: the handlers may outlive their connections.
        self.running: set[asyncio.Future[Any]] = set()
        self._asked: list[tuple[Asker, Request]] = []
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

    def ask(self, client: Asker, request: Request) -> None:
        """Ask the application, once the loop has read what else is there in this turn."""
        self._asked.append((client, request))
        if len(self._asked) == 1:
            self.loop.call_soon(self._handle)

    def _handle(self) -> None:
        asked, self._asked = self._asked, []
        answers: list[tuple[Asker, Request, Answer]] = []
        began = perf_counter()
        for client, request in asked:
            answers.append((client, request, self.answer(request)))
            if perf_counter() - began > _LONGEST_WAIT_SECONDS:
                _give(answers)
                answers, began = [], perf_counter()
        _give(answers)
        self._look()

    def answer(self, request: Request) -> Answer:
        """Ask the application at once: the fate of a body that streams in hangs on it."""
        try:
            return self.app.handle(request)
        except Exception as error:  # noqa: BLE001 - whatever the application raises is a 500
            return error

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
        if not (self.connections or self.running or self._asked):
            self._quiet.set()


def _give(answers: list[tuple[Asker, Request, Answer]]) -> None:
    for client, request, answer in answers:
        try:
            client.take(request, answer)
        except Exception:  # noqa: BLE001 - the others' answers must not be lost with this one's
            _log.exception("%s %s could not be answered", request.head.method, request.head.path)
            client.abort()
