"""HTTP helpers of both APIs: queries, dates, ranges, and the bodies of requests and responses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qsl, unquote

from ...transport.types import FileSlice, Head, Request, Response
from ..bodies import collect
from .store.store import ObjectStore
from .store.types import ObjectInfo

SMALL_BODY = 8 << 20
"""The largest body that is read into memory: a completion of 10,000 S3 parts is about 2 MB."""

MAX_DIGITS = 18
"""More digits are not a 64-bit number, and parsing many more is slow."""

CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
RANGE = re.compile(rf"bytes=(\d{{0,{MAX_DIGITS}}})-(\d{{0,{MAX_DIGITS}}})", re.ASCII)


class UnsatisfiableRangeError(ValueError):
    """A range starts past the end of the object."""


class UndecodableError(ValueError):
    """A path or query is not percent-encoded UTF-8."""


def decode(text: str) -> str:
    """Decode one percent-encoded path segment; raises UndecodableError."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise UndecodableError(f"{text!r} is not percent-encoded UTF-8") from error


def number(text: str) -> int | None:
    """Parse a decimal number; None if it is not one, or may not fit in 64 bits."""
    plain = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    return int(text) if plain else None


def query_of(head: Head) -> dict[str, str]:
    """Decode the query; the last of repeated names wins. Raises UndecodableError."""
    try:
        return dict(parse_qsl(head.query, keep_blank_values=True, errors="strict"))
    except ValueError as error:
        raise UndecodableError(f"the query {head.query!r} cannot be decoded") from error


def header_value(text: str) -> str:
    """Return a text as it is sent in a header: its UTF-8 bytes as Latin-1 characters.

    Raises ValueError for control characters, which a header value cannot have (RFC 9110 5.5).
    """
    if CONTROLS.search(text):
        raise ValueError(f"{text[:100]!r} has control characters in it")
    return text.encode().decode("latin-1")


def iso_time(seconds: float) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds: `2026-11-21T11:25:41.000Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def http_date(seconds: float) -> str:
    """Return a time in the format of HTTP headers (RFC 9110 5.6.7)."""
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC), usegmt=True)


def parse_http_date(text: str) -> float | None:
    """Parse the time in a header; None if it is invalid, because such a header is ignored."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return offset and length of the single range in a header (RFC 9110 14.1.2).

    None means the whole object: there is no header, it is malformed, or it has several ranges,
    which neither cloud serves. Raises UnsatisfiableRangeError.
    """
    match = RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        length = min(int(last), size)
        if not length:
            raise UnsatisfiableRangeError(header)
        return size - length, length
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise UnsatisfiableRangeError(header)
    end = min(int(last), size - 1) if last else size - 1
    return int(first), end - int(first) + 1


def serve(
    store: ObjectStore,
    info: ObjectInfo,
    method: str,
    span: tuple[int, int] | None,
    headers: Mapping[str, str],
) -> Response:
    """Respond with an object's bytes, or with a range of them as 206; a HEAD gets no body."""
    offset, length = span or (0, info.size)
    content_type = headers.get("content-type", info.properties.content_type)
    rest = {name: value for name, value in headers.items() if name != "content-type"}
    if span:
        rest["content-range"] = f"bytes {offset}-{offset + length - 1}/{info.size}"
    sent = length and method != "HEAD"
    body = FileSlice(store.path(info), offset, length) if sent else b""
    return Response(206 if span else 200, body, content_type, rest, length)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield a request's body, whether buffered or streamed; raises ClientGoneError."""
    if request.stream is None:
        if request.content:
            yield request.content
        return
    async for chunk in request.stream:
        yield chunk


async def small_body(request: Request) -> bytes:
    """Read a small body into memory; raises BodyTooLargeError, ClientGoneError."""
    return await collect(request, SMALL_BODY)
