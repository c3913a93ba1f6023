"""The bytes of one call's messages, counted against the memory of its connection and server.

Flow control limits what a client may send in advance of one call's reader, not the sum over all
calls: clients could fill the memory with messages that never end, or with small ones that
decompress to large ones.
"""

from __future__ import annotations

from typing import Final

from ...status import Code, StatusError
from ..http2.memory import Memory

TOO_LARGE: Final = "Decompressed message larger than max"
COUNTED_FROM: Final = 4096
"""Smaller messages are not counted: the number of streams limits them."""
_DEFLATE_RATIO = 1032  # the largest; source: zlib's FAQ, and RFC 1951
_GZIP_SIZE = 4


class MessageMemory:
    """What one call holds."""

    __slots__ = ("_memory", "held")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.held = 0

    def hold(self, count: int) -> None:
        """Count bytes as held. Raises StatusError (RESOURCE_EXHAUSTED) if there is no room."""
        if not self._memory.take(count):
            text = "the messages of all calls take more memory than this server allows"
            raise StatusError(Code.RESOURCE_EXHAUSTED, text)
        self.held += count

    def release(self, count: int | None = None) -> None:
        """Count bytes, or all, as released."""
        count = self.held if count is None else min(count, self.held)
        self.held -= count
        self._memory.give_back(count)


def inflated_size(encoding: bytes, data: bytes | bytearray, limit: int) -> int:
    """Return the most bytes to which a message may decompress, `limit` if that is less.

    gzip ends with the size (RFC 1952, section 2.3.1); the size of others follows from the ratio.
    Raises StatusError for gzip that declares more than `limit` bytes.
    """
    if encoding != b"gzip":
        return min(limit, len(data) * _DEFLATE_RATIO)
    size = int.from_bytes(data[-_GZIP_SIZE:], "little")
    if size > limit:
        raise StatusError(Code.RESOURCE_EXHAUSTED, TOO_LARGE)
    return size
