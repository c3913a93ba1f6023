"""State shared by the connections of one server, and the work in flight.

Requests that arrive in one turn of the loop are all read, then all handled, then all answered.
Interleaved with system calls, each phase would find a cold instruction cache, and a request to a
small model would take twice the time. Those that the application answers together are handled in
one call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from time import perf_counter
from typing import Protocol, TypeAlias

from ...defects import DEFECTS
from ...deferred import Deferred, Outcome
from ..connections import Connections, ServerConnection
from ..limits import Limits
from ..types import Application, Request, Response, Together
from .known_heads import KnownHeads
from .responses import DateLine

logger = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 2e-3
"""How long responses may wait for others of the same turn."""
_MOST_TOGETHER = 128
"""How many requests are handled in one call, before their responses are written."""

Answer: TypeAlias = Response | Awaitable[Response] | Exception
"""What an application returned or raised."""

_Pending: TypeAlias = "tuple[RequestingConnection, Request]"


class RequestingConnection(ServerConnection, Protocol):
    """A connection that has sent a request."""

    def take(self, request: Request, answer: Answer) -> None:
        """Take the answer to this connection's request."""
        ...


class ServerState(Connections):
    """The application, its limits, and everything in flight."""

    __slots__ = ("_expected", "_pending", "app", "date", "heads", "limits")

    def __init__(self, app: Application, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.app = app
        self.limits = limits
        self.date = DateLine()
        self.heads = KnownHeads(app)
        self._expected = 0
        self._pending: dict[Together | None, list[_Pending]] = {}

    def ask(
        self,
        connection: RequestingConnection,
        request: Request,
        together: Together | None = None,
    ) -> None:
        """Pass a request to the application once the loop has read this turn's other sockets.

        With `together`, it is answered with the other requests of the same function.
        """
        if not self._pending:
            self.loop.call_soon(self._handle)
        self._pending.setdefault(together, []).append((connection, request))

    def _handle(self) -> None:
        pending, self._pending = self._pending, {}
        for together, requests in pending.items():
            if together is None:
                self._handle_each(requests)
                continue
            for start in range(0, len(requests), _MOST_TOGETHER):
                self._handle_together(together, requests[start : start + _MOST_TOGETHER])
        self._check_quiet()

    def _handle_together(self, together: Together, requests: list[_Pending]) -> None:
        try:
            answers = together([request for _, request in requests])
        except Exception as error:  # noqa: BLE001 - each is answered by itself
            DEFECTS.report("the answers to small REST requests", error)
            answers = [None] * len(requests)
        left: list[_Pending] = []
        for one, answer in zip(requests, answers, strict=True):
            if answer is None:
                left.append(one)
            else:
                _deliver(*one, answer)
        self._handle_each(left)

    def _handle_each(self, requests: list[_Pending]) -> None:
        answers: list[tuple[RequestingConnection, Request, Answer]] = []
        began = perf_counter()
        for connection, request in requests:
            answers.append((connection, request, self.answer(request)))
            if perf_counter() - began > _LONGEST_WAIT_SECONDS:
                _deliver_all(answers)
                answers, began = [], perf_counter()
        _deliver_all(answers)

    def answer(self, request: Request) -> Answer:
        """Call the application immediately: a body that streams in depends on its answer."""
        try:
            return self.app.handle(request)
        except Exception as error:  # noqa: BLE001 - whatever the application raises is a 500
            return error

    def expect(self, answer: Deferred[Response]) -> None:
        """Count a deferred response until it arrives."""
        self._expected += 1
        answer.then(self._arrived)

    @property
    def unfinished(self) -> int:
        """Return how many requests have no response yet."""
        return len(self.running) + self._expected

    def _arrived(self, _outcome: Outcome[Response]) -> None:
        self._expected -= 1
        self._check_quiet()

    def _check_quiet(self) -> None:
        if not (self.connections or self.running or self._pending or self._expected):
            self._quiet.set()


def _deliver_all(answers: list[tuple[RequestingConnection, Request, Answer]]) -> None:
    for one in answers:
        _deliver(*one)


def _deliver(connection: RequestingConnection, request: Request, answer: Answer) -> None:
    try:
        connection.take(request, answer)
    except Exception:
        logger.exception("%s %s could not be answered", request.head.method, request.head.path)
        connection.abort()
