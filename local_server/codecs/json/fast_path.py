"""The fast path: simdjson's view of a request, and its numbers as arrays.

A list of numbers becomes an array without intermediate Python objects: four times as fast as
orjson and numpy, and fifteen times as json and numpy (`make bench-codecs`). Anything but plain
numbers in a regular shape takes the exact parser, which also produces the error texts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import ml_dtypes
import numpy as np
import simdjson

from ...runtime.types import Tensor

_MOST_LISTS = 2**21
"""Lists and objects of a request: as Python objects they take 200 MB, and longer than a run."""
_MOST_DIMENSIONS = 64  # numpy's own limit
_MOST_COUNTED = 2**24 - 1  # simdjson's counter saturates here
# A list becomes a Python object in the time that scanning so many bytes takes.
_BYTES_A_LIST = 192
_MOST_QUOTES = 512
# From here on numpy's fixed cost is less than what it saves.
_VECTORIZED_BYTES = 2**15
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[],"))


def scan(body: bytes) -> Any:
    """Return simdjson's view of a document that is plain JSON.

    Raises ValueError if it is not (NaN, bytes after the value, deep nesting, integers beyond 64
    bits), or if it is an object with a repeated key.
    """
    try:
        value = simdjson.Parser().parse(body)
    except RuntimeError as error:  # the nesting
        raise ValueError(str(error)) from error
    if isinstance(value, simdjson.Object) and repeats_a_key(value):
        raise ValueError("a key is named twice")
    return value


def cast_doubles(doubles: Tensor, dtype: str) -> Tensor:
    """Return doubles as a dtype of real numbers. Raises TypeError for any other dtype."""
    kind = _KIND_OF[dtype]
    if kind.buffer != "d":
        raise TypeError("not of real numbers")
    with np.errstate(over="ignore", under="ignore"):
        return doubles.astype(kind.dtype)


def kind_of(dtype: str) -> Kind | None:
    """Return how to read lists of a dtype; None if it is not one of numbers."""
    return _KIND_OF.get(dtype)


def is_numeric(dtype: str) -> bool:
    """Return whether lists of a dtype can be read without intermediate Python objects."""
    return dtype in _KIND_OF


def members(value: simdjson.Object, names: Collection[str]) -> dict[str, Any]:
    """Return the members of an object that have one of these names.

    simdjson scans the object for each key: once per name, whatever the object's size.
    """
    present = set(value)
    return {name: value[name] for name in names if name in present}


def repeats_a_key(value: Any) -> bool:
    """Return whether simdjson's object, or one of an array of them, repeats a key."""
    if isinstance(value, simdjson.Array):
        return any(isinstance(item, simdjson.Object) and repeats_a_key(item) for item in value)
    return isinstance(value, simdjson.Object) and len(set(value)) != len(value)


def read_numbers(
    values: Mapping[str, Any], dtypes: Mapping[str, str], body: bytes
) -> dict[str, Tensor]:
    """Return simdjson's arrays as tensors; `values` are all the arrays that `body` has.

    Raises ValueError or TypeError unless they are numbers of these dtypes, in regular shapes.
    """
    openings = _count(b"[", body)
    if len(values) == 1 and openings * _BYTES_A_LIST > len(body):
        return _read_one(values, dtypes, body)
    if openings > _MOST_LISTS:
        raise ValueError("too many lists")
    shapes = {name: shape_of(value) for name, value in values.items()}
    # A list among the numbers adds an opening bracket, whatever the number of leaves.
    if openings != sum(map(count_lists, shapes.values())):
        raise ValueError("a list where others have numbers")
    return {
        name: _read(value, shapes[name], _KIND_OF.get(dtypes[name]))
        for name, value in values.items()
    }


def _read_one(
    values: Mapping[str, Any], dtypes: Mapping[str, str], body: bytes
) -> dict[str, Tensor]:
    """Do the same for one array of many lists, without a Python object for any of them.

    Its brackets and commas are those of a regular array, and no others are between the first and
    the last of the body. They do not reveal an empty list among lists of one element: then there
    are too few elements for the shape.
    """
    ((name, value),) = values.items()
    shape = _first_shape(value)
    # Of the whole body: a copy of its largest part would take as long as to go through it.
    structure = body.translate(None, _NOT_STRUCTURE)
    start, end = structure.find(b"["), structure.rfind(b"]") + 1
    # A long first list among short ones declares more than exists, perhaps gigabytes.
    if end - start != _structure_size(shape) or not structure.startswith(_structure(shape), start):
        raise ValueError("an irregular shape, or more than one array")
    return {name: _read(value, shape, _KIND_OF.get(dtypes[name]))}


def is_brief(body: bytes) -> bool:
    """Return whether the numbers of a body are read without many Python objects, if at all.

    Each name is one, and each list that is not in the only array of the body.
    """
    if _count(b'"', body) > _MOST_QUOTES:
        return False
    has_objects = body.find(b"{", body.find(b"{") + 1) >= 0
    return not has_objects or _count(b"[", body) * _BYTES_A_LIST <= len(body)


def _count(byte: bytes, body: bytes) -> int:
    """Return how often a byte is in a body: one after the other, or for many a vector at a time.

    `bytes.count` takes as long for every one that it finds as for a hundred bytes between them.
    """
    if len(body) < _VECTORIZED_BYTES:
        return body.count(byte)
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord(byte)))


def _first_shape(value: Any) -> tuple[int, ...]:
    """Return an array's shape by its first elements."""
    shape: list[int] = []
    while isinstance(value, simdjson.Array):
        if len(shape) == _MOST_DIMENSIONS:
            raise ValueError("too many dimensions")
        shape.append(_length(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _length(value: simdjson.Array) -> int:
    size = len(value)
    return size if size < _MOST_COUNTED else sum(1 for _ in value)


def _structure_size(shape: Sequence[int]) -> int:
    size = 0
    for count in reversed(shape):
        size = 2 + count * size + max(0, count - 1)
    return size


def _structure(shape: Sequence[int]) -> bytes:
    """Return the brackets and commas of a regular array."""
    text = b""
    for size in reversed(shape):
        text = b"[%b]" % ((text + b",") * (size - 1) + text)
    return text


def read_objects(rows: simdjson.Array, dtypes: Mapping[str, str], body: bytes) -> dict[str, Tensor]:
    """Return an array of objects as tensors, one row each; `rows` are all of `body`.

    Raises ValueError, TypeError or KeyError unless each object has a list of numbers of one shape
    for each of the dtypes, and no more.
    """
    if len(rows) > _MOST_LISTS:
        raise ValueError("too many objects")
    columns: dict[str, list[simdjson.Array]] = {name: [] for name in dtypes}
    for row in rows:
        if not isinstance(row, simdjson.Object) or len(row) != len(columns):
            raise ValueError("other inputs, or one twice")
        for name, column in columns.items():
            column.append(_list(row[name]))
    shapes = {name: _one_shape(column) for name, column in columns.items()}
    lists = len(rows) * sum(map(count_lists, shapes.values()))
    if body.count(b"[") != 1 + lists:
        raise ValueError("a list where others have numbers")
    return {
        name: _KIND_OF[dtypes[name]].read(column).reshape(len(rows), *shapes[name])
        for name, column in columns.items()
    }


def _list(value: Any) -> simdjson.Array:
    if isinstance(value, simdjson.Array):
        return value
    raise TypeError("not a list")


def _one_shape(values: Sequence[simdjson.Array]) -> tuple[int, ...]:
    (shape,) = {*map(shape_of, values)}
    return shape


def shape_of(value: Any) -> tuple[int, ...]:
    """Return an array's shape, after comparing the lengths of its lists.

    Raises ValueError if they differ.
    """
    shape: list[int] = []
    level, first = [value], value
    while isinstance(first, simdjson.Array):
        sizes = {*map(len, level)}
        if _MOST_COUNTED in sizes:
            sizes = {*map(_length, level)}
        if len(sizes) != 1 or len(shape) == _MOST_DIMENSIONS:
            raise ValueError("an irregular shape")
        shape += sizes
        if not first:
            break
        first = first[0]
        level = list(chain.from_iterable(level)) if isinstance(first, simdjson.Array) else []
    return tuple(shape)


def count_lists(shape: tuple[int, ...]) -> int:
    """Return how many lists a regular array of this shape has, itself included."""
    lists, wide = 0, 1
    for size in shape:
        lists += wide
        wide *= size
    return lists


def _read(value: simdjson.Array, shape: tuple[int, ...], kind: Kind | None) -> Tensor:
    if kind is None or not shape:
        raise TypeError("not a list, or not of numbers")
    return kind.read([value]).reshape(shape)


@dataclass(frozen=True, slots=True)
class Kind:
    """The buffer type in which simdjson returns the elements of a dtype, and their conversion.

    Of the buffers doubles take integers; those refuse doubles, and each other's range. A dtype
    narrower than the limits that are checked wraps around.
    """

    buffer: Literal["d", "i", "u"]
    dtype: Any
    limits: tuple[int, int] | None = None

    def read(self, values: Iterable[simdjson.Array]) -> Tensor:
        """Return the numbers of arrays, concatenated."""
        buffers = [value.as_buffer(of_type=self.buffer) for value in values]
        return self.convert(buffers[0] if len(buffers) == 1 else b"".join(buffers))

    def convert(self, buffers: bytes | memoryview) -> Tensor:
        """Return the numbers of buffers. Raises ValueError for one out of the dtype's range."""
        elements: Tensor = np.frombuffer(buffers, _WIDE[self.buffer])
        if self.limits and elements.size:
            least, most = self.limits
            if elements.min() < least or elements.max() > most:
                raise ValueError("out of range")
        with np.errstate(over="ignore", under="ignore"):
            return elements.astype(self.dtype)


_WIDE = {"d": np.float64, "i": np.int64, "u": np.uint64}
_INT32 = (-(2**31), 2**31 - 1)
_KIND_OF = {
    "float16": Kind("d", np.float16),
    "bfloat16": Kind("d", ml_dtypes.bfloat16),
    "float32": Kind("d", np.float32),
    "float64": Kind("d", np.float64),
    "int8": Kind("i", np.int8, _INT32),
    "int16": Kind("i", np.int16, _INT32),
    "int32": Kind("i", np.int32, _INT32),
    "int64": Kind("i", np.int64),
    "uint8": Kind("i", np.uint8, _INT32),
    "uint32": Kind("u", np.uint32, (0, 2**32 - 1)),
    "uint64": Kind("u", np.uint64),
}
