"""The calls of one turn of the event loop that a method's fast path answers together.

A call whose head is known and whose body is one frame has no object of its own; others join when
their `UnaryCall` has the message. At the end of the turn each is answered, or is answered by the
handler. A call that its client has reset by then is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ...defects import DEFECTS
from ..grpc_types import PREFIX_SIZE, FastPath, RequestForm, RequestGroup
from ..http2.memory import Memory
from ..http2.stream import Link, Stream, WholeRequest
from .limits import MessageLimits
from .message_memory import COUNTED_FROM
from .wire import OK

MOST_FAST: Final = 64 * 1024
"""The largest request: the others are parsed in threads."""

Begin = Callable[[WholeRequest], None]
Respond = Callable[[WholeRequest, bytes], None]


@dataclass(slots=True)
class _Calls:
    """The calls of a group in this turn."""

    requests: list[WholeRequest] = field(default_factory=list)
    parts: list[tuple[RequestForm, bytes]] = field(default_factory=list)

    def live(self) -> tuple[Sequence[WholeRequest], Sequence[tuple[RequestForm, bytes]]]:
        """Return the calls that their clients have not reset."""
        if not any(request[0].is_closed for request in self.requests):
            return self.requests, self.parts
        pairs = zip(self.requests, self.parts, strict=True)
        live = [pair for pair in pairs if not pair[0][0].is_closed]
        return [request for request, _ in live], [part for _, part in live]


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
        self._groups: dict[RequestGroup, _Calls] = {}
        self._held: list[tuple[Memory, int]] = []
        self._count = self._last_count = 0
        """How many calls this turn and the last one have."""

    def add(self, requests: Sequence[WholeRequest]) -> Sequence[WholeRequest]:
        """Add calls to those of this turn; return those that must begin by themselves."""
        recognize, groups, most = self._path.recognize, self._groups, self._most
        others: list[WholeRequest] = []
        for request in requests:
            body = request[2]
            size = len(body)
            form = recognize(body) if size <= most else None
            if form is None or (size >= COUNTED_FROM and not self._holds(request[0], size)):
                others.append(request)
                continue
            calls = groups.get(form.group)
            if calls is None:
                calls = groups[form.group] = _Calls()
            calls.requests.append(request)
            calls.parts.append((form, body))
        added = len(requests) - len(others)
        if added and not self._count:
            self._loop.call_soon(self._end_turn)
        self._count += added
        return others

    def _holds(self, stream: Stream, size: int) -> bool:
        """Count a message that is not small; return whether there was room for it."""
        if not stream.memory.take(size):
            return False
        self._held.append((stream.memory, size))
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
        links: dict[Link, list[tuple[Stream, bytes]]] = {}
        for group, calls in groups.items():
            requests, parts = calls.live()
            if requests:
                self._send(requests, self._answers(group, parts), links)
        for link, answered in links.items():
            link.answer(answered, OK)
            link.flush()

    def _answers(
        self, group: RequestGroup, parts: Sequence[tuple[RequestForm, bytes]]
    ) -> Sequence[bytes | None]:
        try:
            return self._path.answer(group, parts)
        except Exception as error:  # noqa: BLE001 - each is answered by the handler
            DEFECTS.report("the answers to small gRPC requests", error)
            return [None] * len(parts)

    def _send(
        self,
        requests: Sequence[WholeRequest],
        answers: Sequence[bytes | None],
        links: dict[Link, list[tuple[Stream, bytes]]],
    ) -> None:
        """Collect the small responses by connection; send others, and begin what has none."""
        small = self._small
        for request, body in zip(requests, answers, strict=True):
            stream = request[0]
            if body is None:
                self._begin(request)
            elif len(body) <= small:
                answered = links.get(stream.link)
                if answered is None:
                    answered = links[stream.link] = []
                answered.append((stream, body))
            else:
                self._respond(request, body[PREFIX_SIZE:])
