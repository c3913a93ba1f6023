"""gRPC as the application of HTTP/2 connections."""

from __future__ import annotations

from ..grpc_types import Method
from ..http2.header_blocks import encode
from ..http2.request_head import RequestHead
from ..http2.server_state import ServerState
from ..http2.stream import Receiver, Stream
from .limits import MessageLimits
from .routes import Methods, Refusal, Route, find_route
from .streaming import StreamingCall
from .unary import UnaryCall
from .wire import status_only


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
        self._server: ServerState | None = None

    def attach(self, state: ServerState) -> None:
        """Keep the tasks of calls in this state."""
        self._server = state

    def open(self, stream: Stream, head: RequestHead) -> Receiver:
        """Begin a call, or refuse it."""
        assert self._server is not None
        route = head.app_data
        if not isinstance(route, Route | Refusal):
            route = find_route(self._methods, head, self._server.limits.header_list)
            head.app_data = route
        if isinstance(route, Refusal):
            _refuse(stream, route)
            return DiscardedBody()
        if isinstance(route.method, Method):
            return UnaryCall(self._server, stream, route, route.method, self._limits)
        call = StreamingCall(self._server, stream, route, route.method, self._limits)
        self._streaming.add(call)
        call.task.add_done_callback(lambda _: self._streaming.discard(call))
        return call

    def stop(self) -> None:
        """End the streaming calls, whose clients may keep them open."""
        for call in tuple(self._streaming):
            call.stop()


def _refuse(stream: Stream, refusal: Refusal) -> None:
    if refusal.status is not None:
        block = status_only(refusal.status.code, refusal.status.message)
    else:
        block = encode(refusal.fields)
    stream.send_head(block, end=True)
