"""The calls of one turn of the event loop that a method's fast path answers together.

Such a call has no object of its own, no task and no timer: at the end of the turn it is answered,
or begins as any other call. A call that its client has reset by then is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ..grpc_types import FastPath, RequestGroup
from ..http2.stream import WholeRequest
from .limits import MessageLimits
from .message_memory import COUNTED_FROM
from .messages import PREFIX_SIZE, prefix
from .wire import OK

_MOST = 64 * 1024
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
        self._most = min(_MOST, limits.receive)
        self._small = min(COUNTED_FROM - 1, limits.send)
        self._begin = begin
        self._respond = respond
        self._groups: dict[RequestGroup, list[tuple[WholeRequest, Any]]] = {}
        self._count = self._last_count = 0
        """How many calls this turn and the last one have."""

    def add(self, request: WholeRequest) -> bool:
        """Add a call to those of this turn; return False if it must begin by itself."""
        stream, head, body = request
        size = len(body) - PREFIX_SIZE
        if not 0 <= size <= self._most or body[:PREFIX_SIZE] != prefix(size):
            return False
        if not isinstance(body, bytes):
            body = bytes(body)
            request = stream, head, body
        recognized = self._path.recognize(body[PREFIX_SIZE:])
        if recognized is None:
            return False
        if size >= COUNTED_FROM and not stream.memory.take(size):
            return False
        if not self._count:
            self._loop.call_soon(self._end_turn)
        self._count += 1
        group, part = recognized
        self._groups.setdefault(group, []).append((request, part))
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
        for group, calls in groups.items():
            for (stream, _, body), _ in calls:
                size = len(body) - PREFIX_SIZE
                if size >= COUNTED_FROM:
                    stream.memory.give_back(size)
            live = [call for call in calls if not call[0][0].is_closed]
            if live:
                self._answer_group(group, live)

    def _answer_group(self, group: RequestGroup, calls: Sequence[tuple[WholeRequest, Any]]) -> None:
        messages = self._path.answer(group, [part for _, part in calls])
        for (request, _), message in zip(calls, messages, strict=True):
            if message is None:
                self._begin(request)
            elif len(message) <= self._small:
                request[0].answer(OK, prefix(len(message)) + message)
            else:
                self._respond(request, message)
        for link in {request[0].link for request, _ in calls}:
            link.flush()
