"""A unary call, on an HTTP/2 stream."""

from __future__ import annotations

import asyncio

from ...status import Code, StatusError
from ..grpc.call import answer
from ..grpc_types import Call, Method
from ..http2.server_state import ServerState
from ..http2.stream import Stream
from .limits import MessageLimits
from .message_memory import COUNTED_FROM, MessageMemory, inflated_size
from .messages import Body, MessageReader, inflate, prefix
from .routes import Route
from .wire import HEAD, OK_TRAILERS, status_only

_INFLATE_INLINE = 2**18
"""Messages of this decompressed size, or more, are decompressed in a thread."""
_CARDINALITY = "the method takes one message"


class UnaryCall:
    """Receives a request, and sends the response of its task."""

    __slots__ = (
        "_is_refused",
        "_limits",
        "_memory",
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
        self._message: tuple[bool, Body] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_refused = False
        self._memory = MessageMemory(stream.memory)
        self._received_at = state.loop.time()

    def data(self, content: bytes | memoryview) -> None:
        """Take a part of the message."""
        self._stream.release(len(content))
        if self._is_refused:
            return
        try:
            self._take(content)
        except StatusError as error:
            self._refuse(error)

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
        # A task that is cancelled before it begins releases nothing.
        self._memory.release()

    def _take(self, content: bytes | memoryview) -> None:
        if self._message is None:
            if self._memory.held or len(content) >= COUNTED_FROM:
                self._memory.hold(len(content))
            self._reader.feed(content)
            self._message = self._reader.next()
            is_one = self._message is None or self._reader.is_empty
        else:
            is_one = not content
        if not is_one:
            raise StatusError(Code.UNIMPLEMENTED, _CARDINALITY)

    def _refuse(self, error: StatusError) -> None:
        self._is_refused = True
        self._message = None
        self._memory.release()
        self._stream.send_head(status_only(error.code, error.message), end=True)

    async def _answer(self, body: Body, *, compressed: bool) -> None:
        try:
            data = await self._response(body, compressed=compressed)
        except StatusError as error:
            self._refuse(error)
        except asyncio.CancelledError:
            # If the client still waits, the handler itself was cancelled.
            self._refuse(StatusError(Code.CANCELLED, "the call was cancelled"))
            raise
        else:
            await self._send(data)

    async def _response(self, body: Body, *, compressed: bool) -> bytes:
        route = self._route
        if compressed:
            body = await self._inflate(body)
        call = Call(route.path, route.metadata, self._seconds_left(), self._stream.peer)
        data = await answer(self._method, call, body)
        self._limits.check_sent(len(data))
        self._memory.release()
        if len(data) >= COUNTED_FROM:
            self._memory.hold(len(data))
        return data

    async def _send(self, data: bytes) -> None:
        stream = self._stream
        if not self._memory.held:
            stream.answer(HEAD, prefix(len(data)) + data, OK_TRAILERS)
            return
        stream.send_head(HEAD)
        stream.send_data(prefix(len(data)))
        stream.send_data(data)
        stream.send_head(OK_TRAILERS, end=True)
        try:
            await stream.sent()
        finally:
            self._memory.release()

    async def _inflate(self, body: Body) -> Body:
        encoding = self._route.encoding
        size = inflated_size(encoding, body, self._limits.receive)
        self._memory.hold(size)
        if size < _INFLATE_INLINE:
            message = inflate(encoding, body, size)
        else:
            message = await asyncio.to_thread(inflate, encoding, body, size)
        self._memory.release(size - len(message))
        return message

    def _seconds_left(self) -> float | None:
        timeout = self._route.timeout
        return None if timeout is None else timeout - (self._server.loop.time() - self._received_at)
