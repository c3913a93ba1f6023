"""Request bodies with a limit for which the platform has its own error text, and their JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..transport.types import BodyTooLargeError, Head, Request

DRAINED = 16
"""An oversize body is read up to this many times its limit, then abandoned."""

MAX_DEPTH = 100
"""Nesting limit of JSON: protobuf's default, which Google's services use."""

MAX_CONTAINERS = 2**16
"""Limit of lists and objects in a message: far more than any control plane's has."""


def collect_limit(head: Head, limit: int) -> int | None:
    """Return the limit if the declared length allows buffering, otherwise None to stream.

    The transport's own 413 is never sent: `collect` handles streamed bodies.
    """
    declared = head.headers.get("content-length", "")
    return limit if declared.isdecimal() and int(declared) <= limit else None


async def collect(request: Request, limit: int) -> bytes:
    """Return the whole body; raises BodyTooLargeError above `limit` bytes.

    An oversize body is read to its end first: many clients send all of it before they read the
    response, and would otherwise see a broken connection.
    """
    if request.stream is None:
        size = len(request.content) if request.size is None else request.size
        if size > limit:
            raise BodyTooLargeError
        return request.content
    content, size = bytearray(), 0
    async for chunk in request.stream:
        size += len(chunk)
        if size <= limit:
            content += chunk
        elif size > DRAINED * limit:
            break
    if size > limit:
        raise BodyTooLargeError
    return bytes(content)


def read_json(body: bytes) -> Any:
    """Parse a JSON text (RFC 8259); raises ValueError if it is not one.

    Python's own parser also accepts invalid UTF-8, NaN and unpaired surrogates, which no
    response and no database can hold; they are refused. Nesting is limited to MAX_DEPTH, so that
    code that walks a value does not exhaust the stack, and lists and objects to MAX_CONTAINERS:
    ten megabytes of empty lists take seconds to parse, and block every other request.
    """
    containers = body.count(b"[") + body.count(b"{")
    if containers > MAX_CONTAINERS:
        raise ValueError(f"the JSON has more than {MAX_CONTAINERS} lists and objects")
    try:
        value = msgspec.json.decode(body)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    # A text with fewer brackets cannot be nested deeper.
    if containers > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise ValueError("the JSON is nested too deeply")
    return value


def _is_deeper(value: Any, limit: int) -> bool:
    """Return whether lists and objects are nested more than `limit` deep."""
    level = _containers([value])
    for _ in range(limit):
        level = _containers(
            item for each in level for item in (each.values() if isinstance(each, dict) else each)
        )
        if not level:
            return False
    return True


def _containers(values: Iterable[Any]) -> list[dict[str, Any] | list[Any]]:
    return [each for each in values if isinstance(each, dict | list)]
