"""Length-prefixed messages, compressed or not.

Source: grpc/doc/PROTOCOL-HTTP2.md, grpc/doc/compression.md.
"""

from __future__ import annotations

import zlib
from typing import Final

from ...status import Code, StatusError

PREFIX_SIZE: Final = 5
NOT_COMPRESSED: Final = b"\0"

_WINDOW_BITS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_IDENTITY = b"identity"


class MessageReader:
    """Cuts a body into messages of at most `limit` bytes."""

    __slots__ = ("_at", "_compressed", "_head", "_limit", "_parts", "_size", "_wanted")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = b""
        self._at = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted: int | None = None
        self._compressed = False

    @property
    def is_empty(self) -> bool:
        """Return whether no part of a further message was received."""
        return self._wanted is None and not self._size

    def feed(self, data: bytes) -> None:
        """Take a part of the body."""
        self._size += len(data)
        if self._at == len(self._head) and not self._parts:
            self._head, self._at = data, 0
        else:
            self._parts.append(data)

    def next(self) -> tuple[bool, bytes] | None:
        """Return whether the next message is compressed, and the message; None if it is incomplete.

        Raises StatusError for a message that is too large, as soon as its length is known.
        """
        if self._wanted is None:
            if self._size < PREFIX_SIZE:
                return None
            self._read_prefix()
        assert self._wanted is not None
        if self._size < self._wanted:
            return None
        message = self._take(self._wanted)
        self._wanted = None
        return self._compressed, message

    def _read_prefix(self) -> None:
        start = self._take(PREFIX_SIZE)
        if start[0] > 1:
            raise StatusError(Code.INTERNAL, f"a message begins with the flag {start[0]}")
        self._compressed = start[0] == 1
        wanted = int.from_bytes(start[1:], "big")
        if wanted > self._limit:
            text = f"Received message larger than max ({wanted} vs. {self._limit})"
            raise StatusError(Code.RESOURCE_EXHAUSTED, text)
        self._wanted = wanted

    def _take(self, count: int) -> bytes:
        if len(self._head) - self._at < count:
            self._head = b"".join((self._head[self._at :], *self._parts))
            self._at = 0
            self._parts.clear()
        taken = self._head[self._at : self._at + count]
        self._at += count
        self._size -= count
        return taken


def check_encoding(encoding: bytes) -> None:
    """Raise StatusError for an unknown `grpc-encoding`."""
    if encoding != _IDENTITY and encoding not in _WINDOW_BITS:
        text = f"grpc-encoding {encoding[:32].decode('ascii', 'replace')} is not supported"
        raise StatusError(Code.UNIMPLEMENTED, text)


def inflate(encoding: bytes, data: bytes, limit: int) -> bytes:
    """Decompress a message.

    Raises StatusError for one of more than `limit` bytes, without decompressing more, and for one
    in another encoding. CPU-bound: call it in a thread for large messages.
    """
    bits = _WINDOW_BITS.get(encoding)
    if bits is None:
        raise StatusError(Code.INTERNAL, "a compressed message in a call without grpc-encoding")
    inflater = zlib.decompressobj(bits)
    try:
        message = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise _not_compressed(encoding) from error
    if len(message) > limit:
        raise StatusError(Code.RESOURCE_EXHAUSTED, "Decompressed message larger than max")
    if not inflater.eof or inflater.unused_data:
        raise _not_compressed(encoding)
    return message


def _not_compressed(encoding: bytes) -> StatusError:
    return StatusError(Code.INTERNAL, f"a message is not {encoding.decode('ascii')} as announced")


def prefix(size: int) -> bytes:
    """Return the prefix of an uncompressed message."""
    return NOT_COMPRESSED + size.to_bytes(4, "big")
