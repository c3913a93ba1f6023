"""A reader of FlatBuffers whose every access is checked.

Source: FlatBuffers, "FlatBuffer Binary Format" (flatbuffers.dev/internals). Numbers are
little-endian. A table begins with the distance back to its vtable, which has the size of itself,
that of the table, and the place of each field in the table, 0 for an absent one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_SHORT, _INT, _UINT = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")
_VTABLE_HEADER = 4
_LONG_SIZE = 8


class DamagedError(ValueError):
    """A position or size is outside the buffer."""


class Table:
    """A table of a FlatBuffer; fields are numbered as in the schema."""

    __slots__ = ("_at", "_data", "_fields")

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        vtable = at - _number(data, at, _INT)
        size = _number(data, vtable, _SHORT)
        self._fields = range(vtable + _VTABLE_HEADER, vtable + size - 1, _SHORT.size)

    def integer(self, field: int, form: str = "i", default: int = 0) -> int:
        """Return a number, of a type that `struct` calls `form`."""
        at = self._place(field)
        return default if at is None else _number(self._data, at, struct.Struct(f"<{form}"))

    def text(self, field: int) -> str:
        """Return a string, "" if it is absent. Raises DamagedError if it is not UTF-8."""
        return decoded(self.data(field))

    def data(self, field: int) -> bytes:
        """Return a vector of bytes, or those of a string."""
        start, count = self._vector(field, 1)
        return self._data[start : start + count]

    def integers(self, field: int) -> tuple[int, ...] | None:
        """Return a vector of int32, None if it is absent."""
        if self._place(field) is None:
            return None
        start, count = self._vector(field, _INT.size)
        return struct.unpack_from(f"<{count}i", self._data, start)

    def longs(self, field: int) -> tuple[int, ...]:
        """Return a vector of int64, empty if it is absent."""
        start, count = self._vector(field, _LONG_SIZE)
        return struct.unpack_from(f"<{count}q", self._data, start)

    def floats(self, field: int) -> tuple[float, ...]:
        """Return a vector of float32, empty if it is absent."""
        start, count = self._vector(field, _INT.size)
        return struct.unpack_from(f"<{count}f", self._data, start)

    def count_of_bytes(self, field: int) -> int:
        """Return the length of a vector of bytes."""
        return self._vector(field, 1)[1]

    def count(self, field: int) -> int:
        """Return the length of a vector of tables."""
        return self._vector(field, _UINT.size)[1]

    def child(self, field: int) -> Table | None:
        """Return the table of a field, None if it is absent."""
        at = self._place(field)
        return None if at is None else Table(self._data, at + _number(self._data, at, _UINT))

    def table(self, field: int, index: int) -> Table:
        """Return an element of a vector of tables."""
        start, count = self._vector(field, _UINT.size)
        if not 0 <= index < count:
            raise DamagedError(f"element {index} of {count}")
        at = start + index * _UINT.size
        return Table(self._data, at + _number(self._data, at, _UINT))

    def tables(self, field: int) -> Iterator[Table]:
        """Yield the elements of a vector of tables."""
        for index in range(self.count(field)):
            yield self.table(field, index)

    def _place(self, field: int) -> int | None:
        if field >= len(self._fields):
            return None
        offset = _number(self._data, self._fields[field], _SHORT)
        return self._at + offset if offset else None

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """Return the first position and the length of a vector, with elements of a size."""
        at = self._place(field)
        if at is None:
            return 0, 0
        at += _number(self._data, at, _UINT)
        count = _number(self._data, at, _UINT)
        start = at + _UINT.size
        if start + count * size > len(self._data):
            raise DamagedError(f"a vector of {count} elements at byte {start}")
        return start, count


def decoded(data: bytes) -> str:
    """Return a text. Raises DamagedError if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DamagedError(f"a name is not UTF-8: {error}") from error


def root(data: bytes) -> Table:
    """Return the root table of a buffer. Raises DamagedError, as all access to tables does."""
    return Table(data, _number(data, 0, _UINT))


def _number(data: bytes, at: int, form: struct.Struct) -> int:
    if not 0 <= at <= len(data) - form.size:
        raise DamagedError(f"a number at byte {at} of {len(data)}")
    number: int = form.unpack_from(data, at)[0]
    return number
