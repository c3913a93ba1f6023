"""Heads that were parsed before: a client repeats its head, often byte for byte.

A known head is found by its bytes, and costs one look-up instead of a parse, checks and a route.
Only heads are kept that came in one segment, end with the usual line break, and ask for nothing
special: neither a chunked body nor 100 Continue, nor HTTP/1.0, nor the end of the connection.
"""

from __future__ import annotations

from typing import NamedTuple

from ..types import Application, Head, Together, together_of

_END = b"\r\n\r\n"
_MOST_BYTES = 2048
"""The size up to which heads are kept: larger ones hold cookies and the like."""
_MOST_HEADS = 512


class ParsedHead(NamedTuple):
    """A request's head and its connection options.

    `length` is None for a chunked body; `invited` is False when the client awaits 100 Continue.
    """

    head: Head
    length: int | None
    keep_alive: bool
    http10: bool
    invited: bool
    together: Together | None = None
    """What answers the request with others of its turn; None if it is handled by itself."""


class KnownHeads:
    """The heads that the clients of one server repeat; a limited number of them."""

    __slots__ = ("_app", "_heads", "both_lengths")

    def __init__(self, app: Application, *, both_lengths: bool = False) -> None:
        """Take the application; `both_lengths` allows heads as `body_length` says."""
        self._app = app
        self.both_lengths = both_lengths
        self._heads: dict[bytes, tuple[ParsedHead, int]] = {}

    def find(self, data: bytes) -> tuple[ParsedHead, int] | None:
        """Return the known head that data begins with, and its size."""
        end = data.find(_END, 0, _MOST_BYTES)
        return self._heads.get(data[: end + len(_END)])

    def keep(self, data: bytes, message: ParsedHead) -> ParsedHead:
        """Keep a head that was parsed from these bytes, if it is plain; return it."""
        is_plain = message.keep_alive and message.invited and not message.http10
        if message.length is None or not is_plain or len(data) > _MOST_BYTES:
            return message
        if message.length:
            message = message._replace(together=together_of(self._app, message.head))
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[data] = message, len(data)
        return message
