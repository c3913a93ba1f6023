"""TensorProto to arrays and back, without TensorFlow, for gRPC requests and responses.

The values are in the typed field of the element type (`float_val`, …), whose last value repeats to
the end of the shape, or in `tensor_content` as bytes in memory.
Source: tensorflow/core/framework/tensor.proto, tensor.cc (`FromProto`, `AsProtoField`,
`AsProtoTensorContent`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name
from cloudserve.savedmodel.varint import read_varint, write_varint

from ..runtime.types import Tensor
from ..status import Code, StatusError
from .room import STRING_BYTES, Room

_MOST_DIMENSIONS = 64  # numpy's own limit; TensorFlow's is 254
# A message has no more bytes.
_MOST_BYTES = 2**31 - 1
# A tensor without elements may declare rows, and a model returns about eight bytes for each.
_EMPTY_ROW_BYTES = 8
# A repeated field's numbers become Python objects temporarily; this many together.
_NUMBERS_AT_ONCE = 2**16
# To look at more tensors takes longer than to copy their numbers.
_FEW = 64

_DType = np.dtype[Any]


class TensorProtoError(ValueError):
    """An invalid TensorProto, or one whose shape does not match its values."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """The encoding of an element type in a TensorProto.

    `wire` is the numeric type of an element's bits: 16 bits of a half, the parts of a complex.
    """

    number: int
    field: str
    wire: _DType
    dtype: _DType


def from_tensor_proto(proto: Any, room: Room | None = None) -> Tensor:
    """Return a TensorProto's array; strings as an object array of bytes.

    It may be read-only. `room` is the memory that all tensors of a request may add to its bytes.
    Raises TensorProtoError if TensorFlow's `FromProto` fails, for resources, variants and 4-bit
    numbers, and if the tensor exceeds `room`.
    """
    room = room or Room()
    kind = _BY_NUMBER.get(proto.dtype)
    if kind is None:
        raise TensorProtoError(f"elements of type {dtype_name(proto.dtype)} cannot be sent")
    shape = _read_shape(proto.tensor_shape)
    size = math.prod(shape)
    if size == 0:
        _take(room, _EMPTY_ROW_BYTES * math.prod(filter(None, shape)), 0, size)
        return np.empty(shape, kind.dtype)
    if kind is _STRING:
        return _read_strings(proto, size, room).reshape(shape)
    values = _read_content(proto.tensor_content, kind, size)
    if values is None:
        values = _fit(_read_field(getattr(proto, kind.field), kind, size), size, room)
    return values.reshape(shape)


def stated_bytes(proto: Any) -> int:
    """Return how many bytes a TensorProto's shape declares, without allocating them.

    Strings count by the last one, which may be repeated.
    """
    kind = _BY_NUMBER.get(proto.dtype)
    size: int = math.prod(max(dim.size, 0) for dim in proto.tensor_shape.dim)
    if kind is not _STRING:
        return size * (kind.dtype.itemsize if kind else 0)
    last = len(proto.string_val[-1]) if proto.string_val else 0
    return size * (STRING_BYTES + last)


def copied_bytes(protos: Collection[Any]) -> int:
    """Return how many bytes of a few TensorProtos are numbers as in memory; 0 if any has others."""
    if len(protos) > _FEW or not all(map(_is_in_memory, protos)):
        return 0
    return sum(len(proto.tensor_content) for proto in protos)


def _is_in_memory(proto: Any) -> bool:
    """Return whether a TensorProto's numbers are as in memory, none of them in a typed field."""
    kind = _BY_NUMBER.get(proto.dtype)
    if kind is None or kind is _STRING or kind in _NARROW:
        return False
    return not len(getattr(proto, kind.field))


def to_tensor_proto(array: Tensor, proto: Any, *, as_content: bool = False) -> None:
    """Write an array to an empty TensorProto: to its typed field, or as `tensor_content`.

    Strings always go into `string_val`: no Python client reads them from `tensor_content`.
    Raises StatusError (UNIMPLEMENTED) for an element type without a field.
    """
    kind = _BY_DTYPE.get(array.dtype) or _string_kind(array.dtype)
    proto.dtype = kind.number
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if kind is _STRING:
        proto.string_val.extend(map(_as_bytes, array.ravel().tolist()))
    elif as_content and kind not in _NARROW:
        proto.tensor_content = array.tobytes()
    else:
        _write_field(proto, kind, _to_wire(array.ravel(), kind))


def _read_shape(shape: Any) -> tuple[int, ...]:
    sizes = tuple(dim.size for dim in shape.dim)
    if shape.unknown_rank or any(size < 0 for size in sizes):
        raise TensorProtoError("the shape is not fully known")
    if len(sizes) > _MOST_DIMENSIONS:
        raise TensorProtoError(f"a tensor has at most {_MOST_DIMENSIONS} dimensions")
    if math.prod(size for size in sizes if size) > _MOST_BYTES:
        raise TensorProtoError(f"a tensor has at most {_MOST_BYTES} elements")
    return sizes


def _read_content(content: bytes, kind: _Kind, size: int) -> Tensor | None:
    """Return the elements in `tensor_content`; None if it is empty."""
    if not content:
        return None
    if len(content) != size * kind.dtype.itemsize:
        raise TensorProtoError(f"{len(content)} bytes are not {size} {kind.dtype.name}")
    if kind.dtype == np.bool_:
        # A byte other than 0 and 1 would be a bool that equals neither.
        return np.frombuffer(content, np.uint8).astype(np.bool_)
    elements: Tensor = np.frombuffer(content, kind.wire if kind in _NARROW else kind.dtype)
    return elements.astype(kind.dtype) if kind in _NARROW else elements


def _read_strings(proto: Any, size: int, room: Room) -> Tensor:
    if proto.tensor_content:
        content = proto.tensor_content
        if len(content) < size:  # each string's length takes a byte
            raise TensorProtoError(f"the bytes are not {size} strings")
        _take(room, STRING_BYTES * size, size, size)
        return _as_objects(_split_strings(content, size), size)
    count = min(len(proto.string_val), size)
    last = proto.string_val[count - 1] if count else b""
    _take(room, STRING_BYTES * size + len(last) * (size - count), count, size)
    strings = _as_objects(proto.string_val[:count], size)
    strings[count:] = last
    return strings


def _read_field(values: Any, kind: _Kind, size: int) -> Tensor:
    """Return the numbers of a typed field, no more than `size` elements of them."""
    if isinstance(values, bytes):  # float8_val
        return np.frombuffer(values, kind.dtype)
    parts = kind.dtype.itemsize // kind.wire.itemsize
    if len(values) % parts:
        raise TensorProtoError("a complex number lacks its imaginary part")
    count = min(len(values), size * parts)
    bits: Tensor = np.empty(count, kind.wire)
    for start in range(0, count, _NUMBERS_AT_ONCE):
        end = min(start + _NUMBERS_AT_ONCE, count)
        # Numbers beyond a narrow type wrap around, as C++ casts them.
        bits[start:end] = np.array(values[start:end]).astype(kind.wire, copy=False)
    return bits.astype(kind.dtype) if kind in _NARROW else bits.view(kind.dtype)


def _to_wire(values: Tensor, kind: _Kind) -> Tensor:
    return values.astype(kind.wire) if kind in _NARROW else values.view(kind.wire)


def _fit(values: Tensor, size: int, room: Room) -> Tensor:
    """Return `size` values: the first ones, or all with the last one repeated, or zeros."""
    count = len(values)
    if count >= size:
        return values[:size]
    _take(room, size * values.dtype.itemsize, count, size)
    whole: Tensor = np.empty(size, values.dtype)
    whole[:count] = values
    whole[count:] = values[-1] if count else np.zeros((), values.dtype)
    return whole


def _take(room: Room, needed: int, count: int, size: int) -> None:
    if not room.take(needed):
        raise TensorProtoError(f"{count} values cannot stand for {size}")


def _as_objects(strings: Sequence[bytes], size: int) -> Tensor:
    """Return an array of `size` objects that starts with these."""
    array: Tensor = np.empty(size, object)
    array[: len(strings)] = strings
    return array


def _split_strings(content: bytes, count: int) -> list[bytes]:
    """Return the strings of a `tensor_content`: lengths as varints, then bytes."""
    lengths, position = [], 0
    try:
        for _ in range(count):
            length, position = read_varint(content, position)
            lengths.append(length)
    except ValueError as error:
        raise TensorProtoError("a string's length is cut short") from error
    if position + sum(lengths) != len(content):
        raise TensorProtoError(f"the bytes are not {count} strings")
    strings = []
    for length in lengths:
        strings.append(content[position : position + length])
        position += length
    return strings


def _write_field(proto: Any, kind: _Kind, bits: Tensor) -> None:
    if kind.field == "float8_val":
        proto.float8_val = bits.tobytes()
    elif kind.wire.kind == "f":
        # Packed floats on the wire are those in memory: a hundred times faster than one by one.
        data = bits.tobytes()
        number = proto.DESCRIPTOR.fields_by_name[kind.field].number
        proto.MergeFromString(write_varint(number << 3 | 2) + write_varint(len(data)) + data)
    else:
        getattr(proto, kind.field).extend(bits.tolist())


def _as_bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _string_kind(dtype: _DType) -> _Kind:
    if dtype.hasobject or dtype.kind in "SU":
        return _STRING
    raise StatusError(Code.UNIMPLEMENTED, f"A tensor of {dtype.name} cannot be sent")


def _numbers(field: str, *names: str, wire: str | None = None) -> list[_Kind]:
    """Return the kinds of numeric types that share a field; `wire` is the type of their bits."""
    kinds = []
    for name in names:
        dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
        kinds.append(_Kind(_NUMBERS[name], field, np.dtype(wire or dtype), dtype))
    return kinds


def _quantized(name: str, wire: str) -> _Kind:
    """Return the kind of a quantized type, a record of one field in numpy."""
    return _Kind(_NUMBERS[name], "int_val", np.dtype(wire), np.dtype([(name, wire)]))


_NUMBERS = {dtype_name(number): number for number in PROTO_NAMES}
_STRING = _Kind(_NUMBERS["string"], "string_val", np.dtype(object), np.dtype(object))
# Each is one byte in memory and in a message. Not every ml_dtypes has them all.
_FLOAT8 = [
    name
    for name in _NUMBERS
    if name.startswith(("float8_", "float4_")) and hasattr(ml_dtypes, name)
]
_NARROW = _numbers(
    "int_val",
    *(n for n in ("int4", "uint4", "int2", "uint2") if n in _NUMBERS and hasattr(ml_dtypes, n)),
    wire="int8",
)
_KINDS = [
    *_numbers("float_val", "float32"),
    *_numbers("double_val", "float64"),
    *_numbers("int_val", "int32", "int16", "int8", "uint16", "uint8"),
    *_numbers("int64_val", "int64"),
    *_numbers("uint32_val", "uint32"),
    *_numbers("uint64_val", "uint64"),
    *_numbers("bool_val", "bool"),
    *_numbers("half_val", "float16", "bfloat16", wire="uint16"),
    *_numbers("float8_val", *_FLOAT8, wire="uint8"),
    *_numbers("scomplex_val", "complex64", wire="float32"),
    *_numbers("dcomplex_val", "complex128", wire="float64"),
    _quantized("qint8", "int8"),
    _quantized("quint8", "uint8"),
    _quantized("qint16", "int16"),
    _quantized("quint16", "uint16"),
    _quantized("qint32", "int32"),
    *_NARROW,
    _STRING,
]
_BY_NUMBER = {kind.number: kind for kind in _KINDS}
_BY_DTYPE = {kind.dtype: kind for kind in _KINDS}
