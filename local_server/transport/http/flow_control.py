"""Flow control: reading pauses for a slow application, writing for a slow client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from threading import Lock
from typing import Protocol

from ..types import FileSlice, Head, LiveBody, Response
from ..writes import write_parts
from .http_errors import internal_error, log_failure
from .responses import DateLine, encode_head

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JOINED = 64 * 1024  # below it one copy is cheaper than a second buffer
FILE_CHUNK = 256 * 1024


class IdleTimer:
    """Detects that nothing has moved for too long. Recording movement costs one attribute."""

    __slots__ = ("_since", "moved")

    def __init__(self) -> None:
        self.moved = True
        self._since = 0.0

    def overdue(self, now: float, idle_timeout: float) -> bool:
        """Return whether nothing has moved for `idle_timeout` seconds; called at every sweep."""
        if self.moved:
            self.moved = False
            self._since = now
        return now - self._since > idle_timeout


class ReadFlow:
    """Pauses and resumes reading; keeps the bytes that arrived too early."""

    __slots__ = ("_backlog", "_idle", "_transport", "invited", "reading")

    def __init__(self, transport: asyncio.Transport, watch: IdleTimer) -> None:
        self._transport = transport
        self._idle = watch
        self._backlog = b""
        self.reading = True
        self.invited = True
        """False while the client waits for 100 Continue before it sends its body."""

    def invite(self) -> None:
        """Send 100 Continue to a client that waits for it."""
        if not self.invited and not self._transport.is_closing():
            self.invited = True
            self._idle.moved = True
            self._transport.write(_CONTINUE)

    def hold(self) -> None:
        """Pause reading: TCP then holds the client back."""
        if self.reading and not self._transport.is_closing():
            self.reading = False
            self._transport.pause_reading()

    def release(self) -> None:
        """Resume reading."""
        if not self.reading and not self._transport.is_closing():
            self.reading = True
            self._idle.moved = True
            self._transport.resume_reading()

    @property
    def waiting(self) -> bool:
        """Return whether bytes wait for their turn."""
        return bool(self._backlog)

    def keep(self, data: bytes) -> None:
        """Keep bytes until their turn, and pause reading until then."""
        self._backlog += data
        self.hold()

    def take_back(self) -> bytes:
        """Return the bytes whose turn has come, and resume reading."""
        data, self._backlog = self._backlog, b""
        self.release()
        return data


class OpenBody(Protocol):
    """A response head, and a body that is sent piece by piece."""

    head: bytes

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body."""
        ...

    def close(self) -> None:
        """Release what the body holds."""
        ...


class OpenLive:
    """A response head, and a body that is sent as it comes."""

    __slots__ = ("_body", "head")

    def __init__(self, body: LiveBody, head: bytes) -> None:
        self._body = body
        self.head = head

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Return the body."""
        return self._body.chunks

    def close(self) -> None:
        """Do nothing: the reader of the chunks closes them."""


class OpenSlice:
    """A response head and an open file, read from an offset for a length, in any thread.

    Raises OSError if the file cannot be opened.
    """

    __slots__ = ("_descriptor", "_lock", "_offset", "head", "left")

    def __init__(self, part: FileSlice, head: bytes) -> None:
        self.head = head
        self._descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        # A cancelled reader may still run in its thread: its descriptor must stay open.
        self._lock = Lock()
        self._offset = part.offset
        self.left = part.length

    def read(self) -> bytes:
        """Return the next chunk; raises EOFError if the file is shorter than its slice."""
        with self._lock:
            chunk = os.pread(self._descriptor, min(FILE_CHUNK, self.left), self._offset)
        if not chunk:
            raise EOFError(f"the file ended {self.left} bytes before its slice")
        self._offset += len(chunk)
        self.left -= len(chunk)
        return chunk

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the slice, each chunk read in a thread."""
        loop = asyncio.get_running_loop()
        while self.left:
            yield await loop.run_in_executor(None, self.read)

    def close(self) -> None:
        """Close the file; a later read raises OSError."""
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = -1


class WriteFlow:
    """Writes responses, and knows whether the client keeps up."""

    __slots__ = ("_date", "_last_size", "_resumed", "_transport", "paused")

    def __init__(self, transport: asyncio.Transport, date: DateLine) -> None:
        self._transport = transport
        self._date = date
        self._resumed: asyncio.Future[None] | None = None
        self._last_size = 0
        self.paused = False

    def answer(self, head: Head, response: Response, connection: bytes) -> OpenBody | None:
        """Write a response, or return the body that is left to be sent.

        A response that cannot be sent becomes a logged 500.
        """
        head_only = head.method == "HEAD"
        try:
            return self._write(response, connection, head_only=head_only)
        except (ValueError, OSError) as error:
            log_failure(head, error)
            return self._write(internal_error(), connection, head_only=head_only)

    def _write(self, response: Response, connection: bytes, *, head_only: bool) -> OpenBody | None:
        body = response.body
        head = encode_head(response, self._date(), connection, head_only=head_only)
        if head_only:
            self._transport.write(head)
        elif isinstance(body, FileSlice):
            return OpenSlice(body, head)
        elif isinstance(body, LiveBody):
            return OpenLive(body, head)
        elif len(body) < JOINED:
            self._transport.write(head + body)
        else:
            write_parts(self._transport, (head, body))
        return None

    async def send(self, body: OpenBody) -> None:
        """Write a head and its body, chunk by chunk, waiting for a slow client.

        Returns early if the connection is closed while it writes.
        """
        pending = body.head
        async with aclosing(body.chunks()) as chunks:
            async for chunk in chunks:
                if self._transport.is_closing():
                    return
                self._transport.write(pending + chunk)
                pending = b""
                if self.paused:
                    self._resumed = asyncio.get_running_loop().create_future()
                    await self._resumed
                if self._transport.is_closing():
                    return
        if pending:
            self._transport.write(pending)

    @property
    def can_end(self) -> bool:
        """Return whether the connection can be half-closed; with TLS it cannot."""
        return self._transport.can_write_eof()

    def end(self) -> None:
        """Half-close the connection if possible, so that the client can still send."""
        if self.can_end:
            self._transport.write_eof()

    def pause(self) -> None:
        """Note that the client does not keep up."""
        self.paused = True

    def resume(self) -> None:
        """Note that the client has caught up."""
        self.paused = False
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)

    @property
    def unsent(self) -> int:
        """Return how many bytes wait for the client."""
        return self._transport.get_write_buffer_size()

    def progressed(self) -> bool:
        """Return whether the client has read anything since the last call."""
        size, last = self.unsent, self._last_size
        self._last_size = size
        return size < last
