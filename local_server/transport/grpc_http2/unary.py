"""A unary call, on an HTTP/2 stream."""

from __future__ import annotations

import asyncio

from ...status import Code, StatusError
from ..grpc.call import answer
from ..grpc_types import Call, Method
from ..http2.server_state import ServerState
from ..http2.stream import Stream
from .limits import MessageLimits
from .messages import MessageReader, inflate, prefix
from .routes import Route
from .wire import HEAD, OK_TRAILERS, status_only

# A message grows up to a thousand times when it is decompressed; from this size on, in a thread.
_INFLATE_INLINE = 4096
_CARDINALITY = "the method takes one message"


class UnaryCall:
    """Receives a request, and sends the response of its task."""

    __slots__ = (
        "_is_refused",
        "_limits",
        "_message",
        "_method",
        "_reader",
        "_received_at",
        "_route",
        "_server",
        "_stream",
        "_task",
        "awaits_body",
    )

    def __init__(
        self,
        state: ServerState,
        stream: Stream,
        route: Route,
        method: Method,
        limits: MessageLimits,
    ) -> None:
        self.awaits_body = True
        self._server = state
        self._stream = stream
        self._route = route
        self._method = method
        self._limits = limits
        self._reader = MessageReader(limits.receive)
        self._message: tuple[bool, bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_refused = False
        self._received_at = state.loop.time()

    def data(self, content: bytes) -> None:
        """Take a part of the message."""
        self._stream.release(len(content))
        if self._is_refused:
            return
        try:
            self._reader.feed(content)
            if self._message is None:
                self._message = self._reader.next()
        except StatusError as error:
            self._refuse(error)
            return
        if self._message is not None and not self._reader.is_empty:
            self._refuse(StatusError(Code.UNIMPLEMENTED, _CARDINALITY))

    def end(self) -> None:
        """Answer."""
        if self._is_refused:
            return
        if self._message is None or not self._reader.is_empty:
            self._refuse(StatusError(Code.UNIMPLEMENTED, _CARDINALITY))
            return
        compressed, body = self._message
        self._message = None
        self._task = self._server.loop.create_task(self._answer(body, compressed=compressed))
        self._server.run(self._task)

    def aborted(self) -> None:
        """Cancel the work."""
        if self._task is not None:
            self._task.cancel()

    def _refuse(self, error: StatusError) -> None:
        self._is_refused = True
        self._stream.send_head(status_only(error.code, error.message), end=True)

    async def _answer(self, body: bytes, *, compressed: bool) -> None:
        route = self._route
        try:
            if compressed:
                body = await self._inflate(body)
            call = Call(route.path, route.metadata, self._seconds_left(), self._stream.peer)
            data = await answer(self._method, call, body)
            self._limits.check_sent(len(data))
        except StatusError as error:
            self._refuse(error)
        except asyncio.CancelledError:
            # If the client still waits, the handler itself was cancelled.
            self._refuse(StatusError(Code.CANCELLED, "the call was cancelled"))
            raise
        else:
            self._stream.answer(HEAD, prefix(len(data)) + data, OK_TRAILERS)

    async def _inflate(self, body: bytes) -> bytes:
        encoding, limit = self._route.encoding, self._limits.receive
        if len(body) < _INFLATE_INLINE:
            return inflate(encoding, body, limit)
        return await asyncio.to_thread(inflate, encoding, body, limit)

    def _seconds_left(self) -> float | None:
        timeout = self._route.timeout
        return None if timeout is None else timeout - (self._server.loop.time() - self._received_at)
