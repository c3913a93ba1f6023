"""The CRC of concatenated bytes, combined from the CRCs of the pieces.

Appending n bytes multiplies the earlier CRC by x^8n, modulo the CRC's polynomial (Mark Adler's
method, zlib's `crc32_combine`). Polynomials and checksums are reflected, the highest bit is x^0.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

CRC32_POLYNOMIAL = 0xEDB88320
"""Of CRC-32 (ISO-HDLC)."""
CRC32C_POLYNOMIAL = 0x82F63B78
"""Of CRC-32C (Castagnoli)."""

ONE = 1 << 31
X = 1 << 30


def combined(pieces: Iterable[tuple[bytes, int]], polynomial: int) -> bytes:
    """Return the checksum of concatenated pieces, each given by its checksum and size."""
    joined = 0
    for checksum, size in pieces:
        joined = _times(_shift(size, polynomial), joined, polynomial)
        joined ^= int.from_bytes(checksum, "big")
    return joined.to_bytes(4, "big")


@lru_cache(maxsize=16)
def _shift(size: int, polynomial: int) -> int:
    """Return x^(8 * size); cached, because the parts of an upload have few sizes."""
    power, base, exponent = ONE, X, 8 * size
    while exponent:
        if exponent & 1:
            power = _times(base, power, polynomial)
        base = _times(base, base, polynomial)
        exponent >>= 1
    return power


def _times(left: int, right: int, polynomial: int) -> int:
    product = 0
    while left:
        if left & ONE:
            product ^= right
        left = (left << 1) & 0xFFFFFFFF
        right = (right >> 1) ^ (polynomial if right & 1 else 0)
    return product
