"""The byte strings of a FlexBuffers map.

Source: FlexBuffers, "FlexBuffers" (flatbuffers.dev/flexbuffers) and flexbuffers.h. The last byte
has the width of the root and the one before its type. Before the elements of a map are the offset
of its keys, their width, and the number of elements; after them is a type for each element.
"""

from __future__ import annotations

from cloudserve.modelfiles.flatbuffer import DamagedError, decoded

_MAP, _STRING, _BLOB = 9, 5, 25
_TRAILER = 2


def read_map(data: bytes) -> dict[str, bytes]:
    """Return the strings and blobs of a map by key. Raises DamagedError for anything else."""
    if len(data) <= _TRAILER or data[-2] >> 2 != _MAP:
        raise DamagedError("no map")
    at = len(data) - _TRAILER - data[-1]
    elements, width = at - _unsigned(data, at, data[-1]), 1 << (data[-2] & 3)
    count = _unsigned(data, elements - width, width)
    if elements + count * (width + 1) > len(data):
        raise DamagedError(f"a map of {count} elements")
    keys = _keys(data, elements, width, count)
    return {
        key: _bytes(data, elements + index * width, width, data[elements + count * width + index])
        for index, key in enumerate(keys)
    }


def _keys(data: bytes, elements: int, width: int, count: int) -> list[str]:
    at = elements - 3 * width
    keys = at - _unsigned(data, at, width)
    key_width = _unsigned(data, elements - 2 * width, width)
    return [_key(data, keys + index * key_width, key_width) for index in range(count)]


def _key(data: bytes, at: int, width: int) -> str:
    start = at - _unsigned(data, at, width)
    end = data.find(b"\0", start) if start >= 0 else -1
    if end < 0:
        raise DamagedError(f"a key at byte {start}")
    return decoded(data[start:end])


def _bytes(data: bytes, at: int, width: int, packed: int) -> bytes:
    if packed >> 2 not in {_STRING, _BLOB}:
        raise DamagedError(f"an element of the type {packed >> 2}")
    start, size_width = at - _unsigned(data, at, width), 1 << (packed & 3)
    size = _unsigned(data, start - size_width, size_width)
    if start + size > len(data):
        raise DamagedError(f"{size} bytes at byte {start}")
    return data[start : start + size]


def _unsigned(data: bytes, at: int, width: int) -> int:
    if width not in {1, 2, 4, 8} or not 0 <= at <= len(data) - width:
        raise DamagedError(f"a number of {width} bytes at byte {at} of {len(data)}")
    return int.from_bytes(data[at : at + width], "little")
