"""The seam between transports and applications: a head, a body, a response.

Applications (protocols, clouds) import only this module of the transport: no sockets, no parser.
A transport can be replaced without changing them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Head:
    """The request line and headers.

    Header names are lower case; a repeated header's values are joined with ", " (RFC 9110 5.3).
    `path` and `query` are as they came on the wire, percent-encoded; `query` is without "?".
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Return path and query as one string, as in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


class BodyTooLargeError(Exception):
    """A body exceeds the limit that its reader set; the transport answers 413."""


class ClientGoneError(Exception):
    """The client closed the connection before the whole body had come."""


class Body(Protocol):
    """A streamed request body, read once; a slow reader slows the client down."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes as they arrive; raises ClientGoneError if the client stops early."""
        ...

    async def read(self, limit: int) -> bytes:
        """Return the whole body of at most `limit` bytes, or raise BodyTooLargeError."""
        ...


@dataclass(slots=True)
class Request:
    """A head with its body: `content` if it was collected, else `stream`. Never changed."""

    head: Head
    content: bytes = b""
    stream: Body | None = None
    size: int | None = None
    """The size that limits apply to, if the content was converted from another form."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """`length` bytes of a file from `offset`: a response body that is streamed from disk."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class LiveBody:
    """A response body that is sent as it comes, such as server-sent events.

    It has no Content-Length: its end closes the connection. `chunks` is closed when the client has
    left, which is noticed when the next chunk is due; so a chunk should come every few seconds.
    """

    chunks: AsyncGenerator[bytes, None]


@dataclass(slots=True)
class Response:
    """A status, headers and a body. The transport adds Content-Length, Date and Connection.

    Never changed.

    For HEAD the body is not sent; set `length` if its Content-Length differs from the body's.
    """

    status: int
    body: bytes | FileSlice | LiveBody = b""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None

    @property
    def is_live(self) -> bool:
        """Return whether the end of the body closes the connection."""
        return isinstance(self.body, LiveBody)


class Application(Protocol):
    """An HTTP application."""

    def body_limit(self, head: Head) -> int | None:
        """Return the limit of a body to collect (413 past it), or None to stream it."""
        ...

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a request: directly if possible, so that small responses need no task."""
        ...


Together: TypeAlias = Callable[[Sequence[Request]], Sequence[Response | None]]
"""Answers collected requests of one turn of the event loop, in their order and without waiting.

None for a request that must be handled by itself.
"""


class TurnApplication(Application, Protocol):
    """An application that answers some requests of one turn together."""

    def together(self, head: Head) -> Together | None:
        """Return the function for requests with this head; None if each is handled by itself.

        It is the same one for all heads whose requests may be mixed, and valid for ever. A request
        that arrives in one piece reaches it without a call of `body_limit`.
        """
        ...


def together_of(app: Application, head: Head) -> Together | None:
    """Return the function for requests with this head, if the application has one."""
    find: Callable[[Head], Together | None] | None = getattr(app, "together", None)
    return find(head) if find else None
