"""A strict parser of request heads, over httptools (llhttp).

A segment is fed up to the end of a head and never past it: what follows belongs to the body's
framing or to the next request.
"""

from __future__ import annotations

import httptools

from ..limits import Limits
from ..types import Head
from .framing import body_length
from .http_errors import HttpError
from .known_heads import KnownHeads, ParsedHead

_END = b"\r\n\r\n"
_NO_BODY = 0


class RequestParser:
    """Parses the heads of one connection, in whatever pieces they arrive."""

    __slots__ = (
        "_complete",
        "_headers",
        "_heads",
        "_keep_alive",
        "_limits",
        "_parser",
        "_repeats",
        "_size",
        "_tail",
        "_target",
    )

    def __init__(self, limits: Limits, heads: KnownHeads) -> None:
        self._limits = limits
        self._heads = heads
        self._parser: httptools.HttpRequestParser | None = None
        self._reset()

    def _reset(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._repeats = 0
        self._size = 0
        self._tail = b""
        self._complete = 0
        self._keep_alive = False

    @property
    def started(self) -> bool:
        """Return whether a head is incomplete."""
        return self._size > 0

    def close(self) -> None:
        """Release the parser: the two objects refer to each other."""
        self._parser = None

    def feed(self, data: bytes) -> tuple[ParsedHead | None, bytes]:
        """Return the head, once complete, and the bytes after it; raises HttpError."""
        if self._size:
            return self._parse_on(data)
        known = self._heads.find(data)
        if known is not None:
            return known[0], data[known[1] :]
        message, rest = self._parse_on(data)
        if message is not None:
            message = self._heads.keep(data[: len(data) - len(rest)], message)
        return message, rest

    def _parse_on(self, data: bytes) -> tuple[ParsedHead | None, bytes]:
        if not self._size and data[0] in b"\r\n":
            # Empty lines before a request are ignored (RFC 9112 2.2).
            data = data.lstrip(b"\r\n")
            if not data:
                return None, b""
        end = self._end(data)
        rest = data[end:] if 0 <= end < len(data) else b""
        self._parse(data[:end] if rest else data)
        # The parser must find the head's end where the scan found it.
        if self._complete != (end >= 0):
            raise HttpError(400, "malformed request: a head ends in CRLF CRLF")
        if end < 0:
            self._tail = (self._tail + data)[-3:]
            return None, b""
        message = self._message()
        self._reset()
        return message, rest

    def _end(self, data: bytes) -> int:
        """Return the index after the head's end, or -1; the end may straddle segments."""
        tail = self._tail
        at = (tail + data).find(_END) if tail else data.find(_END)
        return -1 if at < 0 else at + len(_END) - len(tail)

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
            if self._heads.both_lengths:
                self._parser.set_dangerous_leniencies(lenient_chunked_length=True)
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Upgrades (h2c, as some clients offer by default) are declined by being ignored.
            pass
        except httptools.HttpParserError as error:
            self._check_size()
            raise HttpError(400, f"malformed request: {error}") from None
        self._check_size()

    def _check_size(self) -> None:
        limits = self._limits
        if len(self._target) > limits.target:
            raise HttpError(414, f"the request target is longer than {limits.target} bytes")
        if self._size > limits.head:
            raise HttpError(431, f"the request's head is larger than {limits.head} bytes")
        if len(self._headers) + self._repeats > limits.header_count:
            raise HttpError(431, f"the request has more than {limits.header_count} headers")

    # Callbacks of httptools.

    def on_url(self, part: bytes) -> None:
        """Add a part of the request target."""
        self._target += part

    def on_header(self, raw_name: bytes, raw_value: bytes) -> None:
        """Add a header; values are latin-1 (RFC 9110 5.5), repeats are joined."""
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1").rstrip(" \t")
        headers = self._headers
        if name in headers:
            self._repeats += 1
            if self._repeats > self._limits.header_count:
                return  # refused at the end of the segment
            value = f"{headers[name]}, {value}"
        headers[name] = value

    def on_headers_complete(self) -> None:
        """Record that the head is complete, and whether to keep the connection."""
        assert self._parser is not None
        self._complete += 1
        # Without a body the message is complete next, and llhttp forgets its Connection header.
        self._keep_alive = self._parser.should_keep_alive()

    def _message(self) -> ParsedHead:
        parser, headers = self._parser, self._headers
        assert parser is not None
        method = parser.get_method().decode("latin-1")
        http10 = self._is_http10(parser)
        if method == "CONNECT":
            raise HttpError(501, "CONNECT is not implemented")
        both = "transfer-encoding" in headers and "content-length" in headers
        length = body_length(headers, allows_both=self._heads.both_lengths)
        if http10 and length is None:
            raise HttpError(400, "malformed request: HTTP/1.0 has no Transfer-Encoding")
        if length != _NO_BODY or both:
            self._parser = None  # it would wait for the body
        head = self._head(method, http10=http10)
        invited = http10 or length == _NO_BODY or not _expects_continue(headers)
        return ParsedHead(head, length, self._keep_alive and not both, http10, invited)

    def _is_http10(self, parser: httptools.HttpRequestParser) -> bool:
        if self._keep_alive and "connection" not in self._headers:
            return False  # only HTTP/1.1 is kept by default; asking the parser formats a string
        version = parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise HttpError(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        return bool(version == "1.0")

    def _head(self, method: str, *, http10: bool) -> Head:
        target = self._target.decode("latin-1")
        if not http10:
            _check_host(self._headers)
        if not target.startswith("/") and target != "*":
            target = self._origin_form(target)
        path, _, query = target.partition("?")
        return Head(method, path, query, self._headers)

    def _origin_form(self, target: str) -> str:
        """Turn an absolute target into path and query; its host wins (RFC 9112 3.2.2)."""
        scheme, separator, rest = target.partition("://")
        if not separator or scheme.lower() not in {"http", "https"}:
            raise HttpError(400, "malformed request: the target is neither a path nor a URL")
        cut = min(at for at in (rest.find("/"), rest.find("?"), len(rest)) if at >= 0)
        self._headers["host"] = rest[:cut]
        return rest[cut:] if rest[cut : cut + 1] == "/" else "/" + rest[cut:]


def _check_host(headers: dict[str, str]) -> None:
    """Refuse HTTP/1.1 without exactly one Host (RFC 9112 3.2)."""
    if "," in headers.get("host", ","):
        raise HttpError(400, "malformed request: HTTP/1.1 needs exactly one Host header")


def _expects_continue(headers: dict[str, str]) -> bool:
    """Return whether 100 Continue is expected; any other expectation is 417 (RFC 9110 10.1.1)."""
    expectation = headers.get("expect")
    if expectation is None:
        return False
    if expectation.lower() != "100-continue":
        raise HttpError(417, f"the expectation {expectation!r} cannot be met")
    return True
