"""The calls of one turn of the event loop that a method's fast path answers together.

A call whose head is known and whose body is one frame has no object of its own; others join when
their `UnaryCall` has the message. At the end of the turn each is answered, or is answered by the
handler. A call that its client has reset by then is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..grpc_types import PREFIX_SIZE, FastPath, RequestGroup
from ..http2.memory import Memory
from ..http2.stream import WholeRequest
from .limits import MessageLimits
from .message_memory import COUNTED_FROM
from .wire import OK

MOST_FAST: Final = 64 * 1024
"""The largest request: the others are parsed in threads."""

Begin = Callable[[WholeRequest], None]
Respond = Callable[[WholeRequest, bytes], None]


class FastCalls:
    """Collects the calls of a method, and answers them at the end of the turn."""

    def __init__(
        self,
        path: FastPath,
        loop: asyncio.AbstractEventLoop,
        limits: MessageLimits,
        begin: Begin,
        respond: Respond,
    ) -> None:
        """Take functions that begin a call by itself, and send a response that is not small."""
        self._path = path
        self._loop = loop
        self._most = min(MOST_FAST, limits.receive) + PREFIX_SIZE
        self._small = min(COUNTED_FROM - 1, limits.send) + PREFIX_SIZE
        self._begin = begin
        self._respond = respond
        self._groups: dict[RequestGroup, list[tuple[WholeRequest, Any]]] = {}
        self._held: list[tuple[Memory, int]] = []
        self._count = self._last_count = 0
        """How many calls this turn and the last one have."""

    def add(self, request: WholeRequest) -> bool:
        """Add a call to those of this turn; return False if it must begin by itself."""
        stream, _, body = request
        size = len(body)
        recognized = self._path.recognize(body) if size <= self._most else None
        if recognized is None:
            return False
        if size >= COUNTED_FROM:
            if not stream.memory.take(size):
                return False
            self._held.append((stream.memory, size))
        if not self._count:
            self._loop.call_soon(self._end_turn)
        self._count += 1
        group, part = recognized
        calls = self._groups.get(group)
        if calls is None:
            calls = self._groups[group] = []
        calls.append((request, part))
        return True

    def answer_lone(self) -> None:
        """Answer a call immediately if it is probably the only one of its turn."""
        if self._count == 1 and self._last_count <= 1:
            self._answer()

    def _end_turn(self) -> None:
        self._last_count, self._count = self._count, 0
        self._answer()

    def _answer(self) -> None:
        groups, self._groups = self._groups, {}
        for memory, size in self._held:
            memory.give_back(size)
        self._held.clear()
        for group, calls in groups.items():
            live = [call for call in calls if not call[0][0].is_closed]
            if live:
                self._answer_group(group, live)

    def _answer_group(self, group: RequestGroup, calls: Sequence[tuple[WholeRequest, Any]]) -> None:
        answers = self._path.answer(group, [part for _, part in calls])
        for (request, _), body in zip(calls, answers, strict=True):
            if body is None:
                self._begin(request)
            elif len(body) <= self._small:
                request[0].answer(OK, body)
            else:
                self._respond(request, body[PREFIX_SIZE:])
        for link in {request[0].link for request, _ in calls}:
            link.flush()
