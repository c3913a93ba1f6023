"""A connection's way out: no faster than the client takes it."""

from __future__ import annotations

import asyncio
import os
from threading import Lock

from ..types import FileSlice, Head, Response
from .http_errors import internal_error, log_failure
from .responses import DateLine, encode_head

JOINED = 64 * 1024  # below it one copy is cheaper than a second buffer
FILE_CHUNK = 256 * 1024


class OpenSlice:
    """A response head and an open file, read from an offset for a length, in any thread.

    Raises OSError when the file cannot be opened.
    """

    __slots__ = ("_descriptor", "_lock", "_offset", "head", "left")

    def __init__(self, part: FileSlice, head: bytes) -> None:
        self.head = head
        self._descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        # A cancelled reader may still be in its thread: the number must not be closed under it.
        self._lock = Lock()
        self._offset = part.offset
        self.left = part.length

    def read(self) -> bytes:
        """Return the next chunk; raises EOFError when the file is shorter than its slice."""
        with self._lock:
            chunk = os.pread(self._descriptor, min(FILE_CHUNK, self.left), self._offset)
        if not chunk:
            raise EOFError(f"the file ended {self.left} bytes before its slice")
        self._offset += len(chunk)
        self.left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file; a later read raises OSError."""
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = -1


class Outlet:
    """A connection's way out: writes, and knows whether the client keeps up."""

    __slots__ = ("_date", "_last_size", "_resumed", "_transport", "paused")

    def __init__(self, transport: asyncio.Transport, date: DateLine) -> None:
        self._transport = transport
        self._date = date
        self._resumed: asyncio.Future[None] | None = None
        self._last_size = 0
        self.paused = False

    def answer(self, head: Head, response: Response, connection: str) -> OpenSlice | None:
        """Write a response in one go, or return the file that is left to be sent.

        A response that cannot be sent as it is becomes a logged 500.
        """
        head_only = head.method == "HEAD"
        try:
            return self._write(response, connection, head_only=head_only)
        except (ValueError, OSError) as error:
            log_failure(head, error)
            return self._write(internal_error(), connection, head_only=head_only)

    def _write(self, response: Response, connection: str, *, head_only: bool) -> OpenSlice | None:
        body = response.body
        head = encode_head(response, self._date(), connection, head_only=head_only)
        if head_only:
            self._transport.write(head)
        elif isinstance(body, FileSlice):
            return OpenSlice(body, head)
        elif len(body) < JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        return None

    async def send(self, file: OpenSlice) -> None:
        """Write a head and its file, chunk by chunk, waiting for a slow client.

        Returns early, without a word, when the connection is closed meanwhile.
        """
        loop = asyncio.get_running_loop()
        pending = file.head
        while file.left and not self._transport.is_closing():
            self._transport.write(pending + await loop.run_in_executor(None, file.read))
            pending = b""
            if self.paused:
                self._resumed = loop.create_future()
                await self._resumed
        if pending:
            self._transport.write(pending)

    @property
    def can_end(self) -> bool:
        """Say whether the connection can be closed one way; with TLS it cannot."""
        return self._transport.can_write_eof()

    def end(self) -> None:
        """Tell the client that no more comes, where that leaves it able to send."""
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
        """Say whether the client has taken anything since this was asked last."""
        size, last = self.unsent, self._last_size
        self._last_size = size
        return size < last
