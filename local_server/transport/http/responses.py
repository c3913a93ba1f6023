"""Response serialization (RFC 9112 4 and 5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from ..types import FileSlice, LiveBody, Response

# Phrases of RFC 9110; Python 3.11 has those of RFC 7231.
_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
_FINAL = range(200, 1000)
_STATUS_LINES = {
    code: f"HTTP/1.1 {code} {phrase}\r\n" for code, phrase in _PHRASES.items() if code in _FINAL
}
_OWN = frozenset({"connection", "content-length", "date", "transfer-encoding"})
_BODILESS = frozenset({204, 304})


class DateLine:
    """The Date header's line, formatted once a second (RFC 9110 6.6.1)."""

    __slots__ = ("_line", "_now", "_second")

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._second = -1
        self._line = b""

    def __call__(self) -> bytes:
        """Return the line for this second."""
        second = int(self._now())
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
        return self._line


def encode_head(response: Response, date: bytes, connection: bytes, *, head_only: bool) -> bytes:
    """Return status line and headers; `date` and `connection` are whole lines or empty.

    Raises ValueError for a response that cannot be sent: a bug of the application.
    """
    headers = tuple(response.headers.items()) if response.headers else ()
    begin = _begin(response.status, response.content_type, headers)
    body = response.body
    if isinstance(body, LiveBody):
        return b"%b%b%b\r\n" % (begin, date, connection)
    if head_only or isinstance(body, FileSlice) or response.status in _BODILESS:
        length = _length_line(response, head_only=head_only)
        return b"%b%b%b%b\r\n" % (begin, length, date, connection)
    return b"%bContent-Length: %d\r\n%b%b\r\n" % (begin, len(body), date, connection)


def connection_line(*, keep: bool) -> bytes:
    """Return the Connection header's line; a kept connection of HTTP/1.1 needs none."""
    return b"Connection: keep-alive\r\n" if keep else b"Connection: close\r\n"


def body_size(body: bytes | FileSlice) -> int:
    """Return a response body's length in bytes."""
    return body.length if isinstance(body, FileSlice) else len(body)


def _length_line(response: Response, *, head_only: bool) -> bytes:
    body = response.body
    size = 0 if isinstance(body, LiveBody) else body_size(body)
    if response.status in _BODILESS:
        # RFC 9110 8.6: 204 has no Content-Length; 304 may send that of the corresponding 200.
        if size:
            raise ValueError(f"a response with status {response.status} has no body")
        if response.status == HTTPStatus.NO_CONTENT or response.length is None:
            return b""
        return b"Content-Length: %d\r\n" % response.length
    if head_only and response.length is not None:
        size = response.length
    return b"Content-Length: %d\r\n" % size


def _unnamed(status: int) -> str:
    if status not in _FINAL:
        raise ValueError(f"a response's status is 200 to 999, not {status}")
    return f"HTTP/1.1 {status} \r\n"


@lru_cache(64)  # most responses begin like others
def _begin(status: int, content_type: str | None, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return what responses of one kind have in common."""
    line = _STATUS_LINES.get(status) or _unnamed(status)
    kind = "" if content_type is None else _line("Content-Type", content_type)
    extra = "".join([_line(*_allowed(item)) for item in headers])
    return f"{line}{kind}{extra}".encode("latin-1")


def _allowed(item: tuple[str, str]) -> tuple[str, str]:
    if item[0].lower() in _OWN:
        raise ValueError(f"the transport sets {item[0]}; for HEAD use Response.length")
    return item


def _line(name: str, value: str) -> str:
    line = f"{name}: {value}"
    if "\r" in line or "\n" in line or "\0" in line:
        raise ValueError(f"the header {name!r} has a line break or NUL in it")
    return line + "\r\n"
