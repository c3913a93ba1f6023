"""Model outputs as JSON: `predictions` of rows, `outputs` of columns, `results` of examples.

A float is printed so that it reads back as the same number of its type, with a point or an
exponent; a number that is not finite as NaN, Infinity or -Infinity, which standard JSON lacks. A
string is printed as its bytes, valid UTF-8 or not; if its alias ends in `_bytes`, as `{"b64": …}`.
Source: tensorflow_serving/util/json_tensor.cc (`MakeJsonFromTensors`). White space and digits
differ from TensorFlow Serving's, with the same meaning to a parser.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from typing import Any

import ml_dtypes
import numpy as np
import orjson

from ..runtime.arrays import dtype_word
from ..runtime.types import Tensor
from ..status import invalid_argument
from .json.text import dump_text

_HALVES = {np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)}  # written as the floats they are
_PLAIN = "int8 int16 int32 int64 uint8 uint32 uint64 float32 float64 bool"
_WRITABLE = _HALVES | {np.dtype(name) for name in _PLAIN.split()}
_WORDS = {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}
# Elements: printing them holds the GIL for milliseconds.
_WRITTEN_AT_ONCE = 2**16
_DIMENSIONS = (1, 2)
BYTES_SUFFIX = "_bytes"
"""The suffix of the aliases of outputs whose strings are bytes."""


def encode_rows(outputs: Mapping[str, Tensor]) -> bytes:
    """Return `{"predictions": […]}`: a value for each row, or an object of several outputs.

    Raises StatusError (INVALID_ARGUMENT) for outputs that are not batches of one size.
    """
    check_batch(outputs)
    is_one = len(outputs) == 1
    columns = {name: _writable(name, tensor, whole=is_one) for name, tensor in outputs.items()}
    if is_one:
        return _document("predictions", *columns.values())
    rows = zip(*columns.values(), strict=True)
    return _document("predictions", [dict(zip(columns, row, strict=True)) for row in rows])


def encode_columns(outputs: Mapping[str, Tensor]) -> bytes:
    """Return `{"outputs": …}`: the value of the one output, or an object of them by alias.

    Raises StatusError (INVALID_ARGUMENT) for an element type that JSON does not support.
    """
    check_some(outputs)
    columns = {name: _writable(name, tensor, whole=True) for name, tensor in outputs.items()}
    return (
        _document("outputs", *columns.values())
        if len(columns) == 1
        else _document("outputs", columns)
    )


def split_rows(tensor: Tensor) -> list[bytes] | None:
    """Return the JSON of each row, converted together; None if they are not plain.

    Plain are rows of one number or of one list of finite numbers, and not too many of them.
    """
    if tensor.dtype.hasobject or tensor.dtype not in _WRITABLE or tensor.dtype in _HALVES:
        return None
    if tensor.ndim not in _DIMENSIONS or not 0 < tensor.size <= _WRITTEN_AT_ONCE:
        return None
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        return None
    text = _dump(np.ascontiguousarray(tensor))
    if tensor.ndim == 1:
        return text[1:-1].split(b",")
    return [b"[%b]" % row for row in text[2:-2].split(b"],[")]


def encode_classes(labels: Tensor, scores: Tensor) -> bytes:
    """Return `{"results": …}`: for each example a list of pairs of label and score."""
    rows = zip(labels, scores, strict=True)
    return _document("results", [_pairs(*row) for row in rows])


def encode_values(values: Tensor) -> bytes:
    """Return `{"results": …}`: a value for each example."""
    return _document("results", [_number(value) for value in values])


def check_some(outputs: Mapping[str, Tensor]) -> None:
    """Refuse an empty set of outputs. Raises StatusError."""
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")


def check_batch(outputs: Mapping[str, Tensor]) -> None:
    """Refuse outputs that are not batches of one size. Raises StatusError."""
    check_some(outputs)
    size = None
    for name, tensor in outputs.items():
        if tensor.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if size is not None and tensor.shape[0] != size:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {tensor.shape[0]} "
                f"expecting: {size}"
            )
        size = tensor.shape[0]


def check_writable(tensor: Tensor) -> None:
    """Refuse an element type that JSON does not support. Raises StatusError."""
    if not tensor.dtype.hasobject and tensor.dtype not in _WRITABLE:
        word = dtype_word(tensor.dtype)
        raise invalid_argument(f"Failed to write JSON value for tensor type: {word}")


def _writable(name: str, tensor: Tensor, *, whole: bool = False) -> Any:
    """Return an object that orjson prints as this tensor; if iterable, its items print as the rows.

    With `whole` the result is not iterable.
    """
    check_writable(tensor)
    if tensor.dtype.hasobject:
        return _strings(tensor, as_bytes=name.endswith(BYTES_SUFFIX))
    if tensor.dtype in _HALVES:
        tensor = tensor.astype(np.float32)
    if whole and tensor.size > _WRITTEN_AT_ONCE:
        return orjson.Fragment(b"".join(_pieces(tensor)))
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        return _floats(tensor, whole=whole)
    return np.ascontiguousarray(tensor) if tensor.ndim else tensor[()]


def _pieces(tensor: Tensor) -> Iterator[bytes]:
    """Print a large array row by row, or many rows together."""
    row_size = tensor[:1].size
    at_once = max(1, _WRITTEN_AT_ONCE // max(1, row_size))
    yield b"["
    for start in range(0, len(tensor), at_once):
        yield b"," if start else b""
        if row_size > _WRITTEN_AT_ONCE:
            yield from _pieces(tensor[start])
        else:
            yield _dump(_writable("", tensor[start : start + at_once], whole=True))[1:-1]
    yield b"]"


def _pairs(labels: Tensor, scores: Tensor) -> list[Any]:
    pairs = zip(labels, scores, strict=True)
    return [(_text(label), _number(score)) for label, score in pairs]


def _number(value: np.floating[Any]) -> np.floating[Any] | orjson.Fragment:
    return value if math.isfinite(value) else orjson.Fragment(json.dumps(float(value)))


def _strings(tensor: Tensor, *, as_bytes: bool) -> Any:
    texts: Tensor = np.empty(tensor.shape, object)
    for index, value in np.ndenumerate(tensor):
        texts[index] = _base64(value) if as_bytes else _text(value)
    return texts.tolist()


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode("ascii")}


def _text(value: bytes) -> str | orjson.Fragment:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return orjson.Fragment(dump_text(value.decode("utf-8", "surrogateescape")))


def _floats(tensor: Tensor, *, whole: bool) -> Any:
    """Print floats that include numbers that are not finite."""
    if whole or tensor.ndim == 0:
        return _fragment(tensor)
    return [_number(row) for row in tensor] if tensor.ndim == 1 else [*map(_fragment, tensor)]


def _fragment(tensor: Tensor) -> orjson.Fragment:
    """Print floats; numbers that are not finite become words instead of orjson's null."""
    pieces = _dump(np.ascontiguousarray(tensor) if tensor.ndim else tensor[()]).split(b"null")
    words = [_WORDS[str(value)] for value in tensor[~np.isfinite(tensor)].tolist()]
    return orjson.Fragment(b"".join(chain.from_iterable(zip_longest(pieces, words, fillvalue=b""))))


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _document(key: str, value: Any) -> bytes:
    return b'{\n    "%b": %b\n}' % (key.encode("ascii"), _dump(value))
