"""Length-prefixed messages, compressed or not.

Source: grpc/doc/PROTOCOL-HTTP2.md, grpc/doc/compression.md.
"""

from __future__ import annotations

import zlib
from typing import TypeAlias

from ...status import Code, StatusError
from ..grpc_types import PREFIX_SIZE
from .message_memory import TOO_LARGE

Body: TypeAlias = bytes | bytearray
"""A message as received."""

_WINDOW_BITS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_IDENTITY = b"identity"


class MessageReader:
    """Cuts a body into messages of at most `limit` bytes."""

    __slots__ = ("_at", "_compressed", "_data", "_limit", "_partial", "_wanted")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data: bytes | memoryview = b""
        self._at = 0
        # The incomplete message whose prefix was read. It grows with what is received: a prefix
        # alone must not take the memory of the largest message.
        self._partial: bytearray | None = None
        self._wanted = 0
        self._compressed = False

    @property
    def is_empty(self) -> bool:
        """Return whether no part of a further message was received."""
        return self._partial is None and self._at == len(self._data)

    def feed(self, data: bytes | memoryview) -> None:
        """Take a part of the body; call `next` until it returns None before the next part."""
        if self._partial is not None:
            missing = self._wanted - len(self._partial)
            self._partial += data[:missing]
            data = data[missing:]
        rest = self._data[self._at :]
        self._data = bytes(rest) + bytes(data) if rest else data
        self._at = 0

    def next(self) -> tuple[bool, Body] | None:
        """Return whether the next message is compressed, and the message; None if it is incomplete.

        Raises StatusError for a message that is too large, as soon as its length is known.
        """
        if self._partial is not None:
            if len(self._partial) < self._wanted:
                return None
            whole, self._partial = self._partial, None
            return self._compressed, whole
        if len(self._data) - self._at < PREFIX_SIZE:
            self._keep_rest()
            return None
        self._read_prefix()
        start, stop = self._at, self._at + self._wanted
        if stop > len(self._data):
            self._partial = bytearray(self._data[start:])
            self._data, self._at = b"", 0
            return None
        message = bytes(self._data[start:stop])
        self._at = stop
        if stop == len(self._data):
            self._keep_rest()
        return self._compressed, message

    def _read_prefix(self) -> None:
        start = bytes(self._data[self._at : self._at + PREFIX_SIZE])
        if start[0] > 1:
            raise StatusError(Code.INTERNAL, f"a message begins with the flag {start[0]}")
        wanted = int.from_bytes(start[1:], "big")
        if wanted > self._limit:
            text = f"Received message larger than max ({wanted} vs. {self._limit})"
            raise StatusError(Code.RESOURCE_EXHAUSTED, text)
        self._compressed = start[0] == 1
        self._wanted = wanted
        self._at += PREFIX_SIZE

    def _keep_rest(self) -> None:
        """Keep a few bytes without all the bytes that were received with them."""
        self._data = bytes(self._data[self._at :])
        self._at = 0


def check_encoding(encoding: bytes) -> None:
    """Raise StatusError for an unknown `grpc-encoding`."""
    if encoding != _IDENTITY and encoding not in _WINDOW_BITS:
        text = f"grpc-encoding {encoding[:32].decode('ascii', 'replace')} is not supported"
        raise StatusError(Code.UNIMPLEMENTED, text)


def inflate(encoding: bytes, data: Body, limit: int) -> bytes:
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
        raise StatusError(Code.RESOURCE_EXHAUSTED, TOO_LARGE)
    if not inflater.eof or inflater.unused_data:
        raise _not_compressed(encoding)
    return message


def _not_compressed(encoding: bytes) -> StatusError:
    return StatusError(Code.INTERNAL, f"a message is not {encoding.decode('ascii')} as announced")
