"""A unary call, on an HTTP/2 stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ...deferred import Deferred, Outcome
from ...status import Code, StatusError
from ..grpc.call import LARGE, answer, begin, encode, status_of, timed_out
from ..grpc_types import Call, Message, Method, details_of, prefix
from ..http2.server_state import ServerState
from ..http2.stream import Stream
from .fast_calls import MOST_FAST
from .limits import MessageLimits
from .message_memory import COUNTED_FROM, MessageMemory, inflated_size
from .messages import Body, MessageReader, inflate
from .routes import Route
from .wire import HEAD, OK, OK_TRAILERS, status_only

_INFLATE_INLINE = 2**18
"""Messages of this decompressed size, or more, are decompressed in a thread."""
Join = Callable[[bytes], bool]
"""Takes a message behind its prefix to answer it with others; returns whether it did."""
_CARDINALITY = "the method takes one message"


class UnaryCall:
    """Receives a request, calls the method's handler, and sends its response."""

    __slots__ = (
        "_is_refused",
        "_join",
        "_limits",
        "_memory",
        "_message",
        "_method",
        "_pending",
        "_reader",
        "_received_at",
        "_route",
        "_server",
        "_stream",
        "_task",
        "_timer",
        "awaits_body",
    )

    def __init__(
        self,
        state: ServerState,
        stream: Stream,
        route: Route,
        method: Method,
        limits: MessageLimits,
        join: Join | None = None,
    ) -> None:
        """Begin to receive; `join` may take a message that is complete and not compressed."""
        self.awaits_body = True
        self._join = join
        self._server = state
        self._stream = stream
        self._route = route
        self._method = method
        self._limits = limits
        self._reader = MessageReader(limits.receive)
        self._message: tuple[bool, Body] | None = None
        self._task: asyncio.Task[None] | None = None
        self._pending: Deferred[Message] | None = None
        self._timer: asyncio.TimerHandle | None = None
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
        if compressed or not self._joins(body):
            self._answer_alone(body, compressed=compressed)

    def _joins(self, body: Body) -> bool:
        """Answer with the other calls of this turn, which count the message, if possible."""
        if self._join is None or len(body) > MOST_FAST:
            return False
        held = self._memory.held
        self._memory.release()
        if self._join(prefix(len(body)) + body):
            return True
        self._memory.hold(held)
        return False

    def answer_alone(self, body: Body) -> None:
        """Answer a message that was not answered with others."""
        try:
            if len(body) >= COUNTED_FROM:
                self._memory.hold(len(body))
        except StatusError as error:
            self._refuse(error)
        else:
            self._answer_alone(body, compressed=False)

    def _answer_alone(self, body: Body, *, compressed: bool) -> None:
        if compressed or len(body) >= LARGE or self._route.is_coroutine:
            self._run(self._answer(body, compressed=compressed))
        else:
            self._begin(body)

    def aborted(self) -> None:
        """Cancel the work."""
        self._is_refused = True
        self._abandon()
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
        self._abandon()
        self._memory.release()
        block = status_only(error.code, error.message, details_of(error))
        self._stream.send_head(block, end=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = self._server.loop.create_task(work)
        self._server.run(self._task)

    def respond(self, data: bytes) -> None:
        """Send a response that was encoded elsewhere."""
        self._run(self._send_held(data))

    # Without a task: a handler that returns a Deferred.

    def _begin(self, body: Body) -> None:
        call = self._call()
        seconds = call.deadline_seconds
        if seconds is not None:
            # Before the handler's own timer, so that this one fires first.
            self._timer = self._server.loop.call_later(max(seconds, 0.0), self._expire)
        try:
            pending = begin(self._method, call, body)
        except StatusError as error:
            self._refuse(error)
            return
        assert isinstance(pending, Deferred)
        self._pending = pending
        pending.then(self._settle)

    def _settle(self, outcome: Outcome[Message]) -> None:
        if self._is_refused:
            return
        self._pending = None
        self._abandon()
        if isinstance(outcome, BaseException):
            self._refuse(status_of(self._route.path, outcome))
        elif outcome.ByteSize() >= COUNTED_FROM:
            self._run(self._encode(outcome))
        else:
            self._send_small(outcome.SerializeToString())

    def _send_small(self, data: bytes) -> None:
        try:
            self._hold(data)
        except StatusError as error:
            self._refuse(error)
        else:
            self._stream.answer(OK, prefix(len(data)) + data)

    def _expire(self) -> None:
        pending = self._pending
        if pending is not None:
            # Observers of the handler see the reason; then it leaves its queue.
            pending.settle(timed_out())
            pending.cancel()

    def _abandon(self) -> None:
        """Cancel the timer, and the handler if it has not answered."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    async def _encode(self, response: Message) -> None:
        try:
            data = await encode(response)
        except StatusError as error:
            self._refuse(error)
        else:
            await self._send_held(data)

    async def _send_held(self, data: bytes) -> None:
        try:
            self._hold(data)
        except StatusError as error:
            self._refuse(error)
        else:
            await self._send(data)

    # In a task.

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
        if compressed:
            body = await self._inflate(body)
        data = await answer(self._method, self._call(), body)
        self._hold(data)
        return data

    def _hold(self, data: bytes) -> None:
        """Count a response instead of its request."""
        self._limits.check_sent(len(data))
        self._memory.release()
        if len(data) >= COUNTED_FROM:
            self._memory.hold(len(data))

    async def _send(self, data: bytes) -> None:
        stream = self._stream
        if not self._memory.held:
            self._stream.answer(OK, prefix(len(data)) + data)
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

    def _call(self) -> Call:
        route = self._route
        seconds = route.timeout
        if seconds is not None:
            seconds -= self._server.loop.time() - self._received_at
        return Call(route.path, route.metadata, seconds, self._stream.peer, route.authority)
