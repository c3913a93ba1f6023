"""Request bodies with a limit that the platform words itself, and their JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..transport.types import BodyTooLargeError, Head, Request

DRAINED = 16
"""How many times its limit an oversize body is read off the wire before it is given up."""

MAX_DEPTH = 100
"""How deep JSON may be nested: protobuf's default, which Google's services keep."""

MAX_CONTAINERS = 2**16
"""How many lists and objects a message may have: far more than any of a control plane's has."""


def collect_limit(head: Head, limit: int) -> int | None:
    """Have a body collected when its declared length allows it, else streamed.

    The transport's own 413 never shows: `collect` decides about the streamed ones.
    """
    declared = head.headers.get("content-length", "")
    return limit if declared.isdecimal() and int(declared) <= limit else None


async def collect(request: Request, limit: int) -> bytes:
    """Return the whole body, or raise BodyTooLargeError past `limit` bytes.

    An oversize body is read to its end first: many clients send all of it before they look for
    an answer, and would only see a broken connection.
    """
    if request.stream is None:
        return _within(request.content, limit)
    kept, seen = bytearray(), 0
    async for chunk in request.stream:
        seen += len(chunk)
        if seen <= limit:
            kept += chunk
        elif seen > DRAINED * limit:
            break
    if seen > limit:
        raise BodyTooLargeError
    return bytes(kept)


def read_json(body: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259); raises ValueError for anything else.

    That includes bytes that are not UTF-8, and what Python's own reader accepts: NaN, and half a
    surrogate pair, which no answer and no database can hold. Nested values are limited to
    MAX_DEPTH, so that code which walks a value does not exhaust the stack, and to MAX_CONTAINERS
    lists and objects: a parser makes ten megabytes of empty lists in seconds, and no other request
    is answered meanwhile.
    """
    containers = body.count(b"[") + body.count(b"{")
    if containers > MAX_CONTAINERS:
        raise ValueError(f"the JSON has more than {MAX_CONTAINERS} lists and objects")
    try:
        value = msgspec.json.decode(body)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    # A text with fewer brackets than that cannot be nested deeper.
    if containers > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise ValueError("the JSON is nested too deeply")
    return value


def _is_deeper(value: Any, limit: int) -> bool:
    """Tell whether lists and objects are nested more than `limit` deep."""
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


def _within(content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise BodyTooLargeError
    return content
