"""A request and its response, as the application of a connection sees them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from .memory import Memory
from .wire.errors import ErrorCode
from .wire.frames import DATA, END_STREAM, HEADERS
from .wire.header_blocks import ResponseBlocks
from .wire.request_head import RequestHead

Pending = tuple[int, int, bytes | memoryview]
"""Type, flags and payload of a queued frame: DATA, or a header block as HEADERS."""


WholeRequest: TypeAlias = "tuple[Stream, RequestHead, bytes]"
"""A request that has arrived with its body."""


class Receiver(Protocol):
    """Takes the body of a request. Called in the loop's thread; must not raise."""

    awaits_body: bool
    """Whether a client that sends nothing for too long is disconnected."""

    def data(self, content: bytes | memoryview) -> None:
        """Take a part of the body, which may be empty; call `Stream.release` when it is used.

        A view is valid during the call: it would keep all bytes received with it.
        """
        ...

    def end(self) -> None:
        """Handle the end of the body."""
        ...

    def aborted(self) -> None:
        """Handle a reset of the stream or the loss of the connection: no response can be sent."""
        ...


class Application(Protocol):
    """The application of a connection."""

    def open(self, stream: Stream, head: RequestHead) -> Receiver:
        """Begin a request, which may be answered immediately or later. Must not raise."""
        ...

    def begin(self, requests: Sequence[WholeRequest]) -> None:
        """Begin requests that arrived one directly after the other (see `begin_each`)."""
        ...


def begin_each(
    begin: Callable[[Stream, RequestHead], Receiver], requests: Sequence[WholeRequest]
) -> None:
    """Begin requests one by one, and pass their bodies to the receivers."""
    for stream, head, body in requests:
        stream.receiver = receiver = begin(stream, head)
        receiver.data(body)
        if not stream.is_closed:
            receiver.end()


class Link(Protocol):
    """The connection, as its streams see it."""

    peer: str
    memory: Memory
    answer: Callable[[Sequence[tuple[Stream, bytes]], ResponseBlocks], None]
    """Sends complete responses; see `WriteFlow.answer`."""

    def flush(self) -> None:
        """Write immediately, not at the end of the turn."""
        ...

    def enqueue(self, stream: Stream, item: Pending) -> None:
        """Queue a frame of a stream."""
        ...

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Close a stream with RST_STREAM."""
        ...

    def release(self, stream: Stream, count: int) -> None:
        """Let the client send `count` more bytes."""
        ...


class Stream:
    """One request of a connection. Header blocks are encoded (`header_blocks.encode`)."""

    __slots__ = (
        "_sent",
        "body_left",
        "has_progress",
        "head",
        "is_closed",
        "is_queued",
        "link",
        "number",
        "pending",
        "progress_at",
        "receive_window",
        "receiver",
        "remote_ended",
        "send_window",
        "unreleased",
    )

    def __init__(
        self,
        link: Link,
        number: int,
        send_window: int,
        receive_window: int,
        head: RequestHead | None = None,
    ) -> None:
        """Open a stream; `head` is that of a request that begins when its body has arrived."""
        self.link = link
        self.number = number
        self.send_window = send_window
        self.receive_window = receive_window
        self.unreleased = 0
        self.body_left = None if head is None else head.content_length
        self.pending: deque[Pending] | None = None
        """The frames that are not sent yet; most streams never have one."""
        self.is_queued = False
        self.is_closed = False
        self.remote_ended = False
        self.has_progress = True
        self.progress_at = 0.0
        self.receiver: Receiver | None = None
        self.head = head
        """The head of a request that has not begun: its body has not arrived."""
        self._sent: asyncio.Future[None] | None = None

    @property
    def peer(self) -> str:
        """Return the client's address, as gRPC writes addresses."""
        return self.link.peer

    @property
    def memory(self) -> Memory:
        """Return the memory for messages of the connection."""
        return self.link.memory

    def answer(self, blocks: ResponseBlocks, body: bytes) -> None:
        """Send a complete response."""
        if not self.is_closed:
            self.link.answer([(self, body)], blocks)

    def send_head(self, block: bytes, *, end: bool = False) -> None:
        """Send a header block: the first one, or with `end` the last or only one."""
        if not self.is_closed:
            self.link.enqueue(self, (HEADERS, END_STREAM if end else 0, block))

    def send_data(self, content: bytes) -> None:
        """Send a part of the response's body, as fast as the client reads it."""
        if not self.is_closed:
            self.link.enqueue(self, (DATA, 0, content))

    def reset(self, code: ErrorCode) -> None:
        """End the stream without a response; its receiver is not notified."""
        if not self.is_closed:
            self.link.reset(self, code)

    def release(self, count: int) -> None:
        """Report `count` bytes of the body as used: the client may send as many more."""
        if not (self.is_closed or self.remote_ended):
            self.link.release(self, count)

    async def sent(self) -> None:
        """Wait until all queued frames are written, or the stream is closed."""
        if self.pending and not self.is_closed:
            self._sent = asyncio.get_running_loop().create_future()
            await self._sent

    def wake(self) -> None:
        """End the wait of `sent`."""
        if self._sent is not None and not self._sent.done():
            self._sent.set_result(None)
