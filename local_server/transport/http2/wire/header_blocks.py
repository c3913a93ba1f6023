"""Header blocks (HPACK, RFC 7541): decoded once for all requests with the same bytes.

A client that repeats a request sends the same short block of indexes, and decoding it takes longer
than any other part of a request. Equal bytes mean equal fields as long as the dynamic table
has not changed.

Sent blocks never change the peer's dynamic table, so constant ones can be encoded in advance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError, OversizedHeaderListError

from . import frames
from .errors import ConnectionFault, ErrorCode
from .request_head import Field, RequestHead, read_head

TABLE_SIZE_ZERO: Final = b"\x20"
"""Sets the size of the sender's dynamic table to zero: begins a connection's first block.

A peer that allows a smaller table than the default requires it (RFC 7541, section 4.2).
"""

_MAX_CACHED = 32
_MAX_CACHED_SIZE = 1024

_INDEXED = 0x80
_CHANGES_TABLE = 0x60  # 01…: literal with incremental indexing; 001…: dynamic table size update


class ResponseBlocks:
    """The two header blocks of a response, and the constant parts of its frames."""

    __slots__ = ("_middles", "first", "head", "last", "trailers")

    def __init__(self, head: bytes, trailers: bytes) -> None:
        self.head = head
        self.trailers = trailers
        self.first = frames.head(frames.HEADERS, frames.END_HEADERS, 0, len(head))[:-4]
        """The bytes before the stream's number in the first frame."""
        ended = frames.END_HEADERS | frames.END_STREAM
        self.last = frames.head(frames.HEADERS, ended, 0, len(trailers))[:-4]
        """The bytes before it in the last frame."""
        self._middles: dict[int, bytes] = {}

    def middle(self, size: int) -> bytes:
        """Return the bytes between it in the first frame and in that of a body of this size."""
        middle = self._middles.get(size)
        if middle is None:
            middle = self.head + frames.head(frames.DATA, 0, 0, size)[:-4]
            if len(self._middles) < _MAX_CACHED:
                self._middles[size] = middle
        return middle


class BlockDecoder:
    """Decodes the header blocks of one connection, each of which must pass through it."""

    __slots__ = ("_decoder", "known")

    def __init__(self, max_list_size: int) -> None:
        """Close the connection of a peer whose header list is larger than `max_list_size`."""
        self._decoder = Decoder(max_list_size)
        self.known: dict[bytes, RequestHead] = {}
        """The cached heads by their blocks."""

    def request(self, block: bytes) -> RequestHead:
        """Return a request's head: the same object for an equal block, if it is cached.

        Raises ConnectionFault for a block that is not HPACK, MalformedError for one that is not a
        request.
        """
        head = self.known.get(block)
        if head is not None:
            return head
        head = read_head(self.fields(block))
        if len(block) <= _MAX_CACHED_SIZE and not changes_table(block):
            if len(self.known) >= _MAX_CACHED:
                self.known.clear()
            self.known[block] = head
        return head

    def fields(self, block: bytes) -> Sequence[Field]:
        """Return the fields of a block. Raises ConnectionFault for one that is not HPACK."""
        if changes_table(block):
            self.known.clear()
        try:
            return [(bytes(f[0]), bytes(f[1])) for f in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError as error:
            text = "the header list is too large"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, text) from error
        except HPACKError as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(error)) from error


def encode(fields: Iterable[Field]) -> bytes:
    """Return a block that every peer decodes to the same fields, whatever was sent before."""
    never_indexed = [(name, value, True) for name, value in fields]
    return Encoder().encode(never_indexed)


def changes_table(block: bytes) -> bool:
    """Return whether a block may change the dynamic table of its decoder."""
    at, end = 0, len(block)
    while at < end:
        first = block[at]
        if first & _INDEXED:
            at = _integer(block, at, 7)[1]
        elif first & _CHANGES_TABLE:
            return True
        else:
            name_index, at = _integer(block, at, 4)
            at = at if name_index else _after_string(block, at)
            at = _after_string(block, at)
    return False


def _after_string(block: bytes, at: int) -> int:
    if at >= len(block):
        return at
    length, at = _integer(block, at, 7)
    return at + length


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """Return the integer with a prefix of `bits` bits, and its end (RFC 7541, 5.1)."""
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    shift = 0
    while at < len(block) and shift <= 28:  # noqa: PLR2004  longer ones are refused when decoded
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return value, at
