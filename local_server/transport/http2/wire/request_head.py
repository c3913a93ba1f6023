"""Validated heads of requests. Source: RFC 9113, sections 8.2 and 8.3."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Field = tuple[bytes, bytes]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_BAD_VALUE = re.compile(rb"[\0\r\n]|^[ \t]|[ \t]$").search
_PSEUDO = frozenset({b":method", b":scheme", b":path", b":authority"})
_REQUIRED = (b":method", b":scheme", b":path")
_CONNECTION_SPECIFIC = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_ENTRY_OVERHEAD = 32  # RFC 9113, section 6.5.2


class MalformedError(ValueError):
    """A header list that is not a request."""


@dataclass(slots=True)
class RequestHead:
    """A request without its body. Requests with the same header block share one."""

    method: bytes
    path: bytes
    fields: tuple[Field, ...]
    """The regular fields in their order: lower case names, which may repeat."""
    content_length: int | None
    size: int
    """The size of the header list as SETTINGS_MAX_HEADER_LIST_SIZE counts it."""
    authority: bytes = b""
    """The host and port of the request's URL, which a client may leave out."""
    waits_for_body: bool = False
    """Whether the application wants to begin such requests when their bodies have arrived."""
    app_data: object = None
    """The application's data about this head, for the next request that shares it."""


def read_head(fields: Iterable[Field]) -> RequestHead:
    """Return the head of a request. Raises MalformedError."""
    pseudo: dict[bytes, bytes] = {}
    regular: list[Field] = []
    size = 0
    for name, value in fields:
        size += len(name) + len(value) + _ENTRY_OVERHEAD
        _check_value(name, value)
        if name.startswith(b":"):
            _add_pseudo(pseudo, name, value, after_regular=bool(regular))
        else:
            _check_regular(name, value)
            regular.append((name, value))
    _check_complete(pseudo)
    length = _content_length(regular)
    authority = pseudo.get(b":authority", b"")
    fields = tuple(regular)
    return RequestHead(pseudo[b":method"], pseudo[b":path"], fields, length, size, authority)


def check_trailers(fields: Iterable[Field]) -> None:
    """Check the fields after a body. Raises MalformedError."""
    for name, value in fields:
        _check_value(name, value)
        if name.startswith(b":"):
            raise MalformedError("a pseudo-header field in the trailers")
        _check_regular(name, value)


def _check_value(name: bytes, value: bytes) -> None:
    if _BAD_VALUE(value):
        raise MalformedError(f"the value of {name!r} has a character that is not allowed")


def _add_pseudo(
    pseudo: dict[bytes, bytes], name: bytes, value: bytes, *, after_regular: bool
) -> None:
    if name not in _PSEUDO:
        raise MalformedError(f"{name!r} is not a pseudo-header field of a request")
    if name in pseudo:
        raise MalformedError(f"{name!r} comes twice")
    if after_regular:
        raise MalformedError(f"{name!r} comes after a regular field")
    pseudo[name] = value


def _check_regular(name: bytes, value: bytes) -> None:
    if not _NAME(name):
        raise MalformedError(f"{name!r} is not a field name")
    if name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
        raise MalformedError(f"{name!r} belongs to HTTP/1.1")


def _check_complete(pseudo: Mapping[bytes, bytes]) -> None:
    for name in _REQUIRED:
        if not pseudo.get(name):
            raise MalformedError(f"{name!r} is missing")


def _content_length(fields: Iterable[Field]) -> int | None:
    values = {value for name, value in fields if name == b"content-length"}
    if not values:
        return None
    text = values.pop()
    if values or not re.fullmatch(rb"[0-9]{1,18}", text):
        raise MalformedError("content-length is not one number")
    return int(text)
