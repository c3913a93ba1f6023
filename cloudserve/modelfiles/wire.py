"""The fields of a protobuf message, without its declaration and without copies.

A model of gigabytes is mostly weights, which are skipped. Source: Protocol Buffers, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

Field: TypeAlias = "tuple[int, int | memoryview]"
"""A field's number and its value: of a varint the number, else the bytes."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MORE, _LONGEST = 0x80, 10


def fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message in order. Raises ValueError for what is not a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in _FIXED:
            size = _FIXED[wire]
        else:
            raise ValueError(f"a field of the wire type {wire}")
        if not number or at + size > len(message):
            raise ValueError(f"{size} bytes at byte {at} of {len(message)}")
        yield number, message[at : at + size]
        at += size


def messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the values of a field of messages, strings or bytes."""
    for found, value in fields(message):
        if found == number and isinstance(value, memoryview):
            yield value


def text(message: memoryview, number: int) -> str:
    """Return the last value of a string field, "" if there is none; ValueError if not UTF-8."""
    last = b""
    for value in messages(message, number):
        last = bytes(value)
    return last.decode()


def integer(message: memoryview, number: int) -> int:
    """Return the last value of an int64 field, 0 if there is none."""
    last = 0
    for found, value in fields(message):
        if found == number and isinstance(value, int):
            last = value
    return last - 2**64 if last >= 2**63 else last


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(message[at : at + _LONGEST]):
        value |= (byte & ~_MORE) << (7 * index)
        if byte < _MORE:
            return value & (2**64 - 1), at + index + 1
    raise ValueError(f"no varint at byte {at} of {len(message)}")
