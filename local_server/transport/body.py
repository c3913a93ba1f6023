"""A streamed request body: a bounded queue between a client and the application."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from .types import BodyTooLargeError


class Flow(Protocol):
    """The connection, as its body sees it."""

    def invite(self) -> None:
        """Tell a client that waits for 100 Continue to send."""
        ...

    def hold(self) -> None:
        """Stop reading from the client."""
        ...

    def release(self) -> None:
        """Read from the client again."""
        ...


class BodyStream:
    """A `Body`: fed by the connection, read once by the application.

    At most `room` bytes and one segment are held; then the client is held back until half of
    `room` is free again.
    """

    __slots__ = (
        "_asked",
        "_chunks",
        "_ended",
        "_error",
        "_flow",
        "_held",
        "_length",
        "_room",
        "_size",
        "_waiter",
    )

    def __init__(self, flow: Flow, length: int | None, room: int) -> None:
        self._flow = flow
        self._length = length
        self._room = room
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._asked = False
        self._held = False
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    # The connection's side.

    def feed(self, content: bytes) -> None:
        """Take content from the client; hold the client back when there is too much of it."""
        if self._ended or not content:
            return
        self._chunks.append(content)
        self._size += len(content)
        if self._size > self._room and not self._held:
            self._held = True
            self._flow.hold()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Say that no more comes: the body is whole, or `error` tells why it is not."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake()

    def discard(self) -> None:
        """Drop what is held and what may come: the request has been answered."""
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
        """Return the next bytes; raises ClientGoneError when they stop short."""
        if not self._asked:
            self._asked = True
            self._flow.invite()
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            await self._more()
        return self._pop()

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raises BodyTooLargeError past `limit`, if told before reading."""
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
