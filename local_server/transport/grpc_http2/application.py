"""gRPC as the application of HTTP/2 connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import itemgetter

from ...status import StatusError
from ..grpc_types import PREFIX_SIZE, Call, Method
from ..http2.server_state import ServerState
from ..http2.stream import Receiver, Stream, WholeRequest, begin_each
from ..http2.wire.header_blocks import encode
from ..http2.wire.request_head import RequestHead
from .fast_calls import FastCalls
from .limits import MessageLimits
from .routes import Methods, Refusal, Route, find_route
from .streaming import StreamingCall
from .unary import UnaryCall
from .wire import status_only

_HEAD = itemgetter(1)
"""Returns the head of a WholeRequest."""
_SHORTEST_SECONDS = 0.1
"""Calls with a shorter timeout need a timer."""


class DiscardedBody:
    """Receives the rest of an answered request."""

    awaits_body = False

    def data(self, content: bytes | memoryview) -> None:
        """Ignore a part of the body."""

    def end(self) -> None:
        """Ignore the end of the body."""

    def aborted(self) -> None:
        """Ignore the end of the stream."""


class GrpcRequests:
    """Begins a call for each request."""

    def __init__(self, methods: Methods, limits: MessageLimits) -> None:
        self._methods = methods
        self._limits = limits
        self._streaming: set[StreamingCall] = set()
        self._fast: dict[bytes, FastCalls] = {}
        self._server: ServerState | None = None

    def attach(self, state: ServerState) -> None:
        """Keep the tasks of calls in this state."""
        self._server = state
        for path, method in self._methods.items():
            if isinstance(method, Method) and method.fast_path is not None:
                self._fast[path] = FastCalls(
                    *(method.fast_path, state.loop, self._limits),
                    *(self._begin_alone, self._respond),
                )

    def open(self, stream: Stream, head: RequestHead) -> Receiver:
        """Begin a call, or refuse it."""
        return self._open(stream, head, joins=True)

    def _open(self, stream: Stream, head: RequestHead, *, joins: bool) -> Receiver:
        """Begin a call, which joins the others of its turn when it has its message, if it may."""
        assert self._server is not None
        route = self._route(head)
        if isinstance(route, Refusal):
            _refuse(stream, route)
            return DiscardedBody()
        if isinstance(route.method, Method):
            join = partial(self._join, stream, head) if joins and route.fast else None
            return UnaryCall(self._server, stream, route, route.method, self._limits, join)
        call = StreamingCall(self._server, stream, route, route.method, self._limits)
        self._streaming.add(call)
        call.task.add_done_callback(lambda _: self._streaming.discard(call))
        return call

    def begin(self, requests: Sequence[WholeRequest]) -> None:
        """Begin the calls of requests that arrived with their bodies."""
        for head, group in groupby(requests, _HEAD):
            route, calls = head.app_data, [*group]
            fast = route.fast if isinstance(route, Route) else None
            for request in calls if fast is None else _add(fast, calls):
                self._begin_alone(request)
            if fast is not None and len(requests) == 1:
                fast.answer_lone()

    def _join(self, stream: Stream, head: RequestHead, body: bytes) -> bool:
        """Add a call whose body came in parts, or behind a new head, to those of this turn."""
        request, fast = (stream, head, body), self._fast[head.path]
        if _add(fast, [request]):
            return False
        fast.answer_lone()
        return True

    def _begin_alone(self, request: WholeRequest) -> None:
        stream, _, body = request
        if isinstance(stream.receiver, UnaryCall):
            stream.receiver.answer_alone(bytes(body[PREFIX_SIZE:]))
        else:
            begin_each(partial(self._open, joins=False), (request,))

    def _respond(self, request: WholeRequest, message: bytes) -> None:
        stream, head, _ = request
        if stream.receiver is None:
            stream.receiver = self._open(stream, head, joins=False)
        assert isinstance(stream.receiver, UnaryCall)
        stream.receiver.respond(message)

    def _route(self, head: RequestHead) -> Route | Refusal:
        route = head.app_data
        if isinstance(route, Route | Refusal):
            return route
        assert self._server is not None
        route = find_route(self._methods, head, self._server.limits.header_list)
        if isinstance(route, Route):
            head.waits_for_body = isinstance(route.method, Method)
            if route.timeout is None or route.timeout >= _SHORTEST_SECONDS:
                route = replace(route, fast=self._fast.get(head.path))
        head.app_data = route
        return route

    def stop(self) -> None:
        """End the streaming calls, whose clients may keep them open."""
        for call in tuple(self._streaming):
            call.stop()


def _add(fast: FastCalls, calls: Sequence[WholeRequest]) -> Sequence[WholeRequest]:
    """Add calls with one head to those of this turn; return those that must begin alone."""
    route = calls[0][1].app_data
    assert isinstance(route, Route)
    if route.method.admit is None:
        return fast.add(calls)
    admitted: list[WholeRequest] = []
    refused: list[WholeRequest] = []
    for call in calls:
        (admitted if _is_admitted(call) else refused).append(call)
    return [*refused, *fast.add(admitted)]


def _is_admitted(request: WholeRequest) -> bool:
    """Return whether a call may be answered; the ordinary way refuses it otherwise."""
    stream, head, _ = request
    route = head.app_data
    assert isinstance(route, Route)
    assert route.method.admit is not None
    try:
        route.method.admit(Call(route.path, route.metadata, route.timeout, stream.peer))
    except StatusError:
        return False
    return True


def _refuse(stream: Stream, refusal: Refusal) -> None:
    if refusal.status is not None:
        block = status_only(refusal.status.code, refusal.status.message)
    else:
        block = encode(refusal.fields)
    stream.send_head(block, end=True)
