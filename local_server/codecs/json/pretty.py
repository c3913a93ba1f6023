"""Responses in TensorFlow Serving's own layout and digits, for byte-for-byte comparison.

It writes through rapidjson's PrettyWriter, which it switches to arrays on one line for each row,
and back before the rows end: hence the line break before the last bracket of `predictions`. Columns
are not switched. Objects are indented by four wherever they are.
Source: tensorflow_serving/util/json_tensor.cc (`MakeRowFormatJsonFromTensors` and its neighbours).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...runtime.types import Tensor
from ..response import BYTES_SUFFIX, check_batch, check_some, check_writable
from .text import decimal_text, quote

_INDENT = "    "

_Lay = Callable[[Any, int], str]
"""Formats nested lists of texts within `depth` objects and arrays."""


def encode_rows(outputs: Mapping[str, Tensor]) -> bytes:
    """Return `{"predictions": […]}`; see `response.encode_rows`."""
    check_batch(outputs)
    if len(outputs) == 1:
        ((name, tensor),) = outputs.items()
        return _document("predictions", _close_rows(_texts(name, tensor, 1 + tensor.ndim)))
    columns = {name: _texts(name, tensor, 2 + tensor.ndim) for name, tensor in outputs.items()}
    rows = zip(*columns.values(), strict=True)
    objects = [_object(dict(zip(columns, row, strict=True)), 2, _in_line) for row in rows]
    return _document("predictions", _in_lines(objects, 1))


def encode_columns(outputs: Mapping[str, Tensor]) -> bytes:
    """Return `{"outputs": …}`; see `response.encode_columns`."""
    check_some(outputs)
    if len(outputs) == 1:
        ((name, tensor),) = outputs.items()
        return _document("outputs", _in_lines(_texts(name, tensor, 1 + tensor.ndim), 1))
    columns = {name: _texts(name, tensor, 2 + tensor.ndim) for name, tensor in outputs.items()}
    return _document("outputs", _object(columns, 1, _in_lines))


def encode_classes(labels: Tensor, scores: Tensor) -> bytes:
    """Return `{"results": …}`: for each example a list of pairs of label and score."""
    names, numbers = _texts("", labels, 0), _texts("", scores, 0)
    pairs = [[*map(list, zip(*row, strict=True))] for row in zip(names, numbers, strict=True)]
    return _document("results", _close_rows(pairs))


def encode_values(values: Tensor) -> bytes:
    """Return `{"results": …}`: a value for each example, all on one line."""
    return _document("results", _in_line(_texts("", values, 0)))


def _close_rows(rows: list[Any]) -> str:
    return f"{_in_line(rows)[:-1]}\n{_INDENT}]" if rows else "[]"


def _in_line(value: Any, depth: int = 0) -> str:
    if not isinstance(value, list):
        return str(value)
    return f"[{', '.join(_in_line(item, depth) for item in value)}]"


def _in_lines(value: Any, depth: int) -> str:
    if not isinstance(value, list):
        return str(value)
    line = "\n" + _INDENT * depth
    items = ",".join(f"{line}{_INDENT}{_in_lines(item, depth + 1)}" for item in value)
    return f"[{items}{line}]" if items else "[]"


def _object(members: Mapping[str, Any], depth: int, lay: _Lay) -> str:
    line = "\n" + _INDENT * depth
    written = (
        f"{line}{_INDENT}{quote(name)}: {lay(value, depth + 1)}" for name, value in members.items()
    )
    return f"{{{','.join(written)}{line}}}"


def _texts(name: str, tensor: Tensor, depth: int) -> Any:
    """Return a tensor's elements as JSON, in nested lists; `depth` is that of an element."""
    check_writable(tensor)
    write = _writer(name, tensor, depth)
    texts: Tensor = np.empty(tensor.size, object)
    texts[:] = [write(value) for value in tensor.ravel().tolist()]
    return texts.reshape(tensor.shape).tolist()


def _writer(name: str, tensor: Tensor, depth: int) -> Callable[[Any], str]:
    if tensor.dtype.hasobject:
        if name.endswith(BYTES_SUFFIX):
            return lambda value: _object({"b64": _base64(value)}, depth, _in_line)
        return lambda value: quote(value.decode("utf-8", "surrogateescape"))
    if tensor.dtype.name == "float64":
        return lambda value: decimal_text(value, np.float64)
    if tensor.dtype.kind in "iu":
        return str
    if tensor.dtype.kind == "b":
        return lambda value: "true" if value else "false"
    return lambda value: decimal_text(value, np.float32)


def _base64(value: bytes) -> str:
    return quote(base64.b64encode(value).decode("ascii"))


def _document(key: str, value: str) -> bytes:
    text = f"{{\n{_INDENT}{quote(key)}: {value}\n}}"
    return text.encode("utf-8", "surrogateescape")
