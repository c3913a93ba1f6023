"""Responses to bytes, and files to sockets no faster than the client takes them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from threading import Lock

from .types import FileSlice, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JOINED = 64 * 1024  # below it one copy is cheaper than a second buffer
FILE_CHUNK = 256 * 1024

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}
_OWN = frozenset({"connection", "content-length", "date", "transfer-encoding"})
_BODILESS = frozenset({204, 304})


class DateLine:
    """The Date header's line, formatted once a second (RFC 9110 6.6.1)."""

    __slots__ = ("_line", "_now", "_second")

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._second = -1
        self._line = ""

    def __call__(self) -> str:
        """Return the line for this second."""
        second = int(self._now())
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n"
        return self._line


def encode_head(response: Response, date: str, connection: str, *, head_only: bool) -> bytes:
    """Return status line and headers; `date` and `connection` are whole lines or empty.

    Raises ValueError for a response that cannot be sent as it is: that is the application's bug.
    """
    status = response.status
    if not 200 <= status <= 999:
        raise ValueError(f"a response's status is 200 to 999, not {status}")
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"]
    if response.content_type is not None:
        lines.append(_line("Content-Type", response.content_type))
    lines += [_line(*_allowed(item)) for item in response.headers.items()]
    lines += [_length_line(response, head_only=head_only), date, connection, "\r\n"]
    return "".join(lines).encode("latin-1")


def body_size(body: bytes | FileSlice) -> int:
    """Return a response body's length in bytes."""
    return body.length if isinstance(body, FileSlice) else len(body)


def _length_line(response: Response, *, head_only: bool) -> str:
    size = body_size(response.body)
    if response.status in _BODILESS:
        # RFC 9110 8.6: 204 has no Content-Length; 304 may tell that of the 200 it stands for.
        if size:
            raise ValueError(f"a response with status {response.status} has no body")
        if response.status == HTTPStatus.NO_CONTENT or response.length is None:
            return ""
        return f"Content-Length: {response.length}\r\n"
    if head_only and response.length is not None:
        size = response.length
    return f"Content-Length: {size}\r\n"


def _allowed(item: tuple[str, str]) -> tuple[str, str]:
    if item[0].lower() in _OWN:
        raise ValueError(f"the transport sets {item[0]}; for HEAD use Response.length")
    return item


def _line(name: str, value: str) -> str:
    line = f"{name}: {value}"
    if "\r" in line or "\n" in line or "\0" in line:
        raise ValueError(f"the header {name!r} has a line break or NUL in it")
    return line + "\r\n"


class Outlet:
    """A connection's way out: writes, and knows whether the client keeps up."""

    __slots__ = ("_last_size", "_resumed", "_transport", "paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._resumed: asyncio.Future[None] | None = None
        self._last_size = 0
        self.paused = False

    def write(self, head: bytes, body: bytes) -> None:
        """Write a response in one go."""
        if len(body) < JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    def pause(self) -> None:
        """Note that the client does not keep up."""
        self.paused = True
        self._last_size = self._transport.get_write_buffer_size()

    def resume(self) -> None:
        """Note that the client has caught up."""
        self.paused = False
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)

    def progressed(self) -> bool:
        """Say whether the client has taken anything since this was asked last."""
        size, last = self._transport.get_write_buffer_size(), self._last_size
        self._last_size = size
        return size < last

    async def send_file(self, head: bytes, file: OpenSlice) -> None:
        """Write a head and a file's slice, chunk by chunk, waiting for a slow client.

        Returns early, without a word, when the connection is closed meanwhile.
        """
        loop = asyncio.get_running_loop()
        pending = head
        while file.left and not self._transport.is_closing():
            self._transport.write(pending + await loop.run_in_executor(None, file.read))
            pending = b""
            if self.paused:
                self._resumed = loop.create_future()
                await self._resumed
        if pending:
            self._transport.write(pending)


class OpenSlice:
    """An open file, read from an offset for a length, in any thread."""

    __slots__ = ("_descriptor", "_lock", "_offset", "left")

    def __init__(self, part: FileSlice) -> None:
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
