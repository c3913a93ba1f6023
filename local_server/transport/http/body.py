"""Request bodies: gathered whole, or streamed through a bounded queue."""

from __future__ import annotations

import asyncio
from collections import deque

from ..types import BodyTooLargeError
from .flow_control import ReadFlow
from .http_errors import body_too_large


class Gathered:
    """A body collected whole, up to a limit."""

    __slots__ = ("_left", "_limit", "_pieces")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._pieces: list[bytes] = []

    def add(self, content: bytes) -> None:
        """Add content; raises HttpError 413 past the limit."""
        self._left -= len(content)
        if self._left < 0:
            raise body_too_large(self._limit)
        self._pieces.append(content)

    def content(self) -> bytes:
        """Return the body, without a copy if it came in one piece."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class BodyStream:
    """A `Body`: fed by the connection, read once by the application.

    At most `room` bytes and one segment are held; then reading pauses until half of `room` is free.
    """

    __slots__ = (
        "_chunks",
        "_ended",
        "_error",
        "_flow",
        "_held",
        "_length",
        "_room",
        "_size",
        "_started",
        "_waiter",
    )

    def __init__(self, flow: ReadFlow, length: int | None, room: int) -> None:
        self._flow = flow
        self._length = length
        self._room = room
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._started = False
        self._held = False
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    # The connection's side.

    def feed(self, content: bytes) -> None:
        """Add content from the client; hold the client back if there is too much."""
        if self._ended or not content:
            return
        self._chunks.append(content)
        self._size += len(content)
        if self._size > self._room and not self._held:
            self._held = True
            self._flow.hold()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """End the body: it is complete, or `error` says why it is not."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake()

    def discard(self) -> None:
        """Drop the rest of the body, held or to come: the request has been answered."""
        self.end(RuntimeError("the request was answered before its body was read"))
        self._chunks.clear()
        self._size = 0

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The application's side.

    def __aiter__(self) -> BodyStream:
        """Return itself: a body is read once."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes; raises ClientGoneError if the client stops early."""
        if not self._started and not self._ended:
            self._started = True
            self._flow.invite()
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            await self._more()
        return self._pop()

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raises BodyTooLargeError past `limit`, early if it can."""
        if self._length is not None and self._length > limit:
            raise BodyTooLargeError(f"the body of {self._length} bytes is larger than {limit}")
        chunks, size = [], 0
        async for chunk in self:
            size += len(chunk)
            if size > limit:
                raise BodyTooLargeError(f"the body is larger than {limit} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    async def _more(self) -> None:
        if self._waiter is not None:
            raise RuntimeError("a body is read by one reader")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _pop(self) -> bytes:
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._held and self._size <= self._room // 2:
            self._held = False
            self._flow.release()
        return chunk
