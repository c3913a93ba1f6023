"""Varints of protobuf, Snappy and LevelDB: seven bits per byte, lowest first."""

from __future__ import annotations

_MORE = 0x80
_LONGEST = 10


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position and the position after it. Raises ValueError at the end."""
    value = 0
    for index, byte in enumerate(data[position : position + _LONGEST]):
        value |= (byte & ~_MORE) << (7 * index)
        if byte < _MORE:
            return value, position + index + 1
    raise ValueError(f"no varint at byte {position} of {len(data)}")


def write_varint(value: int) -> bytes:
    """Return a number, which is not negative, as a varint."""
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & ~_MORE & 0xFF | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
