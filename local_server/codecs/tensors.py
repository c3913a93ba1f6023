"""JSON values to arrays of a signature's element type.

The shape is that of the value, following its first elements; the signature's shape is not checked.
Source: tensorflow_serving/util/json_tensor.cc (`FillTensorProto`, `AddValueToTensor`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import ml_dtypes
import numpy as np

from ..runtime.types import Tensor
from ..status import Code, StatusError, invalid_argument
from .json.text import json_text, type_name

_MOST_DIMENSIONS = 64  # numpy's own limit
_WORDS = {"float32": "float", "float64": "double", "float16": "half"}
_SPACES = b" \t\n\v\f\r"
_QUANTUM = 4  # base64 encodes in groups of four characters

_Leaves = list[Any]


def to_tensor(value: Any, dtype: str) -> Tensor:
    """Return a JSON value as an array of TensorFlow's dtype.

    Raises StatusError with TensorFlow Serving's text for the first error in document order.
    """
    shape, leaves = _flatten(value)
    kind = _KINDS.get(dtype)
    if kind is None or not kind.types.issuperset(map(type, leaves)):
        raise first_error([value], 0, shape, dtype) or unsupported(dtype)
    if len(shape) > _MOST_DIMENSIONS:
        raise too_many_dimensions(len(shape))
    try:
        return kind.convert(leaves).reshape(shape)
    except (OverflowError, StatusError) as error:
        raise first_error([value], 0, shape, dtype) or unsupported(dtype) from error


def is_supported(dtype: str) -> bool:
    """Return whether JSON supports an element type."""
    return dtype in _KINDS


def unsupported(dtype: str) -> StatusError:
    """Return the error of a value whose parts are all valid: an empty one."""
    return StatusError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: [] to type: {_word(dtype)}")


def too_many_dimensions(rank: int) -> StatusError:
    """Return the error of a shape with too many dimensions."""
    return invalid_argument(
        f"A tensor has at most {_MOST_DIMENSIONS} dimensions but the value has {rank}"
    )


def is_base64(value: Any) -> bool:
    """Return whether a value is an object with the only key "b64" and a string: bytes, a scalar."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_string(value: str | dict[str, Any]) -> bytes:
    """Return the bytes of a string or of a base64 object. Raises StatusError."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return _decode_base64(value)


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of a value, following the first element at each level."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


@dataclass(frozen=True, slots=True)
class _Kind:
    """The JSON types of an element type, and their conversion to a flat array.

    `convert` raises OverflowError for a number out of range, StatusError for bad base64.
    """

    types: frozenset[type]
    convert: Callable[[_Leaves], Tensor]


def _reals(to: Any) -> _Kind:
    def convert(leaves: _Leaves) -> Tensor:
        # Through double, as rapidjson does; a value beyond a float's range becomes infinite.
        with np.errstate(over="ignore", under="ignore"):
            return np.array(leaves, np.float64).astype(to, copy=False)

    return _Kind(frozenset({int, float}), convert)


def _integers(token: type[np.integer[Any]], to: type[np.integer[Any]] | None = None) -> _Kind:
    """Convert integers of one range to a type that may be narrower and then wraps around."""

    def convert(leaves: _Leaves) -> Tensor:
        return np.array(leaves, token).astype(to or token, copy=False)

    return _Kind(frozenset({int}), convert)


def _strings(leaves: _Leaves) -> Tensor:
    array: Tensor = np.empty(len(leaves), object)
    array[:] = [decode_string(leaf) for leaf in leaves]
    return array


_KINDS = {
    # Additions to TensorFlow Serving that its users ask for.
    "float16": _reals(np.float16),
    "bfloat16": _reals(ml_dtypes.bfloat16),
    "float32": _reals(np.float32),
    "float64": _reals(np.float64),
    "int32": _integers(np.int32),
    "int16": _integers(np.int32, np.int16),
    "int8": _integers(np.int32, np.int8),
    "uint8": _integers(np.int32, np.uint8),
    "int64": _integers(np.int64),
    "uint32": _integers(np.uint32),
    "uint64": _integers(np.uint64),
    "bool": _Kind(frozenset({bool}), lambda leaves: np.array(leaves, np.bool_)),
    "string": _Kind(frozenset({str, dict}), _strings),
}


def _flatten(value: Any) -> tuple[tuple[int, ...], _Leaves]:
    """Return a value's shape and its leaves; ragged lists stay among the leaves."""
    shape: list[int] = []
    level = [value]
    while level and type(level[0]) is list:
        size = len(level[0])
        if set(map(type, level)) != {list} or set(map(len, level)) != {size}:
            return shape_of(value), level
        shape.append(size)
        level = list(chain.from_iterable(level))
    return tuple(shape), level


def first_error(
    values: Sequence[Any], level: int, shape: Sequence[int], dtype: str
) -> StatusError | None:
    """Return the first error, in document order, of values at a level of a shape.

    None if every part is valid: an unsupported dtype without any element.
    """
    pending = [(value, level) for value in reversed(values)]
    while pending:
        item, level = pending.pop()
        if not isinstance(item, list):
            error = _leaf_error(item, level, len(shape), dtype)
        else:
            error = list_error(len(item), level, shape)
            pending.extend((child, level + 1) for child in reversed(item))
        if error is not None:
            return error
    return None


def list_error(size: int, level: int, shape: Sequence[int]) -> StatusError | None:
    """Return the error of a list of `size` values at a level of a shape."""
    if level >= len(shape):
        return invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if size != shape[level]:
        return invalid_argument(
            f"Encountered list at unexpected size: {size} at level: {level} "
            f"expected size: {shape[level]}"
        )
    return None


def _leaf_error(item: Any, level: int, rank: int, dtype: str) -> StatusError | None:
    if level != rank:
        return invalid_argument(
            f"JSON Value: {json_text(item)} found at incorrect level: {level + 1} "
            f"in the JSON DOM. Expected at level: {rank}"
        )
    if isinstance(item, dict) and dtype != "string":
        return _type_error(item, dtype)
    kind = _KINDS.get(dtype)
    if kind is None:
        text = f"Conversion of JSON Value: {json_text(item)} to type: {_word(dtype)}"
        return StatusError(Code.UNIMPLEMENTED, text)
    return _conversion_error(item, dtype, kind)


def _conversion_error(item: Any, dtype: str, kind: _Kind) -> StatusError | None:
    try:
        if type(item) in kind.types:
            kind.convert([item])
            return None
    except StatusError as error:
        return error
    except OverflowError:
        pass  # an integer out of range is of the wrong type
    return _type_error(item, dtype)


def _decode_base64(value: dict[str, Any]) -> bytes:
    """Decode standard base64; absl needs no padding and ignores white space."""
    if not is_base64(value):
        raise invalid_argument(
            f"JSON Value: {json_text(value)} not formatted correctly for base64 data"
        )
    try:
        # Most are encoded without white space and with padding.
        return binascii.a2b_base64(value["b64"], strict_mode=True)
    except ValueError:
        pass
    text = value["b64"].encode("utf-8", "surrogateescape").translate(None, _SPACES)
    if b"=" not in text:
        text += b"=" * (-len(text) % _QUANTUM)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise invalid_argument("Unable to base64 decode") from error


def _type_error(value: Any, dtype: str) -> StatusError:
    return invalid_argument(
        f"JSON Value: {json_text(value)} Type: {type_name(value)} "
        f"is not of expected type: {_word(dtype)}"
    )


def _word(dtype: str) -> str:
    """Return TensorFlow's C++ word for a dtype (`DataTypeString`)."""
    base = dtype.removesuffix("_ref")
    return _WORDS.get(base, base) + dtype[len(base) :]
