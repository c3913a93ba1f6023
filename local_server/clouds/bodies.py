"""Request bodies with a limit that the platform words itself, and their JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from ..transport.types import BodyTooLargeError, Head, Request

DRAINED = 16
"""How many times its limit an oversize body is read off the wire before it is given up."""


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

    That goes for what Python's own reader lets pass: NaN, and half a surrogate pair, which no
    answer and no database can hold.
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def _within(content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise BodyTooLargeError
    return content
