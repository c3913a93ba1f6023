"""A call of many messages, on an HTTP/2 stream.

Requests stay unread until the method asks for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

from google.protobuf.message import DecodeError

from ...status import Code, StatusError
from ..grpc_types import PREFIX_SIZE, Call, Message, details_of, prefix
from ..http2.server_state import ServerState
from ..http2.stream import Stream
from .limits import MessageLimits
from .message_memory import MessageMemory, inflated_size
from .messages import Body, MessageReader, inflate
from .routes import Route, StreamMethod
from .wire import HEAD, OK_TRAILERS, status_only, status_trailers

logger = logging.getLogger(__name__)

_END_SECONDS = 0.1
_ENTRY_SIZE = 128
"""What Python needs for a queued message besides its content, in bytes."""


class StreamingCall:
    """Receives requests, and sends the responses of the method's task."""

    __slots__ = (
        "_has_head",
        "_has_more",
        "_is_done",
        "_is_stopping",
        "_limits",
        "_memory",
        "_messages",
        "_method",
        "_reader",
        "_route",
        "_server",
        "_stream",
        "_unreleased",
        "awaits_body",
        "task",
    )

    def __init__(
        self,
        state: ServerState,
        stream: Stream,
        route: Route,
        method: StreamMethod,
        limits: MessageLimits,
    ) -> None:
        self.awaits_body = False
        self._server = state
        self._stream = stream
        self._route = route
        self._method = method
        self._limits = limits
        self._reader = MessageReader(limits.receive)
        self._memory = MessageMemory(stream.memory)
        self._messages: deque[tuple[bool, Body]] = deque()
        self._unreleased = 0
        self._has_more = asyncio.Event()
        self._has_head = False
        self._is_stopping = False
        self._is_done = False
        self.task = state.loop.create_task(self._run())
        state.run(self.task)

    def data(self, content: bytes | memoryview) -> None:
        """Take a part of the requests."""
        self._unreleased += len(content)
        if self._is_done:
            return
        try:
            self._take(content)
        except StatusError as error:
            # The method may never ask for the request.
            self._end(error)
            self.aborted()
        self._has_more.set()

    def end(self) -> None:
        """Handle the end of the requests."""
        self._has_more.set()

    def aborted(self) -> None:
        """Cancel the work."""
        self.task.cancel()
        self._discard()

    def stop(self) -> None:
        """End the call: the server stops."""
        self._is_stopping = True
        self.task.cancel()

    def _discard(self) -> None:
        """Ignore further requests, and forget those that are not read."""
        self._is_done = True
        self._messages.clear()
        self._memory.release()

    def _take(self, content: bytes | memoryview) -> None:
        self._memory.hold(len(content))
        self._reader.feed(content)
        while (message := self._reader.next()) is not None:
            self._memory.hold(_ENTRY_SIZE)
            self._messages.append(message)

    async def _run(self) -> None:
        try:
            await self._respond_or_wait()
        except StatusError as error:
            self._end(error)
        except asyncio.CancelledError:
            if self._stream.is_closed or self._is_done:
                raise
            if self._is_stopping:
                self._end(StatusError(Code.UNAVAILABLE, "the server stops"))
            else:
                self._end(StatusError(Code.CANCELLED, "the call was cancelled"))
        except Exception:
            logger.exception("%s failed", self._route.path)
            self._end(StatusError(Code.INTERNAL, "the server failed; its log says why"))
        finally:
            self._discard()

    async def _respond_or_wait(self) -> None:
        try:
            await self._respond()
        except StatusError:
            await self._let_client_end()
            raise

    async def _respond(self) -> None:
        route = self._route
        peer = self._stream.peer
        call = Call(route.path, route.metadata, route.timeout, peer, route.authority)
        try:
            async with asyncio.timeout(route.timeout) as limit:
                if self._method.admit is not None:
                    self._method.admit(call)
                async for response in self._method.handle(call, self._requests()):
                    await self._send(response)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise StatusError(Code.DEADLINE_EXCEEDED, "Deadline Exceeded") from error
        self._send_head()
        self._stream.send_head(OK_TRAILERS, end=True)

    async def _requests(self) -> AsyncIterator[Message]:
        while True:
            while self._messages:
                compressed, body = self._messages.popleft()
                size = PREFIX_SIZE + len(body)
                self._release(size)
                if compressed:
                    body = await self._inflate(body)
                yield self._decode(body)
                self._memory.release(size + _ENTRY_SIZE)
            # A message may be larger than the window.
            self._release(self._unreleased)
            if self._stream.remote_ended:
                if not self._reader.is_empty:
                    raise StatusError(Code.INTERNAL, "the last request is cut short")
                return
            self._has_more.clear()
            await self._has_more.wait()

    async def _inflate(self, body: Body) -> Body:
        encoding = self._route.encoding
        size = inflated_size(encoding, body, self._limits.receive)
        self._memory.hold(size)
        try:
            return await asyncio.to_thread(inflate, encoding, body, size)
        finally:
            self._memory.release(size)

    def _release(self, count: int) -> None:
        count = min(count, self._unreleased)
        self._unreleased -= count
        self._stream.release(count)

    def _decode(self, body: Body) -> Message:
        try:
            return self._method.request.FromString(body)
        except DecodeError as error:
            text = f"the request is not a {self._method.request.DESCRIPTOR.full_name}: {error}"
            raise StatusError(Code.INVALID_ARGUMENT, text) from error

    async def _send(self, response: Message) -> None:
        data = response.SerializeToString()
        self._limits.check_sent(len(data))
        self._send_head()
        self._stream.send_data(prefix(len(data)) + data)
        await self._stream.sent()

    def _send_head(self) -> None:
        if not self._has_head:
            self._has_head = True
            self._stream.send_head(HEAD)

    async def _let_client_end(self) -> None:
        """Wait briefly for the end of the requests.

        A client of grpcio.aio that gets its status while it is sending reports INTERNAL instead.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                while not self._stream.remote_ended:
                    self._has_more.clear()
                    await self._has_more.wait()

    def _end(self, error: StatusError) -> None:
        write = status_trailers if self._has_head else status_only
        block = write(error.code, error.message, details_of(error))
        self._stream.send_head(block, end=True)
