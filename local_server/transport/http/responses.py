"""Response serialization (RFC 9112 4 and 5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from ..types import FileSlice, Response

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

    Raises ValueError for a response that cannot be sent: a bug of the application.
    """
    status = _STATUS_LINES.get(response.status) or _unnamed(response.status)
    kind = _type_line(response.content_type)
    extra = "".join([_line(*_allowed(item)) for item in response.headers.items()])
    length = _length_line(response, head_only=head_only)
    return f"{status}{kind}{extra}{length}{date}{connection}\r\n".encode("latin-1")


def body_size(body: bytes | FileSlice) -> int:
    """Return a response body's length in bytes."""
    return body.length if isinstance(body, FileSlice) else len(body)


def _length_line(response: Response, *, head_only: bool) -> str:
    size = body_size(response.body)
    if response.status in _BODILESS:
        # RFC 9110 8.6: 204 has no Content-Length; 304 may send that of the corresponding 200.
        if size:
            raise ValueError(f"a response with status {response.status} has no body")
        if response.status == HTTPStatus.NO_CONTENT or response.length is None:
            return ""
        return f"Content-Length: {response.length}\r\n"
    if head_only and response.length is not None:
        size = response.length
    return f"Content-Length: {size}\r\n"


def _unnamed(status: int) -> str:
    if status not in _FINAL:
        raise ValueError(f"a response's status is 200 to 999, not {status}")
    return f"HTTP/1.1 {status} \r\n"


@lru_cache(64)
def _type_line(content_type: str | None) -> str:
    return "" if content_type is None else _line("Content-Type", content_type)


def _allowed(item: tuple[str, str]) -> tuple[str, str]:
    if item[0].lower() in _OWN:
        raise ValueError(f"the transport sets {item[0]}; for HEAD use Response.length")
    return item


def _line(name: str, value: str) -> str:
    line = f"{name}: {value}"
    if "\r" in line or "\n" in line or "\0" in line:
        raise ValueError(f"the header {name!r} has a line break or NUL in it")
    return line + "\r\n"
