"""JSON schemas of tensors, as TensorFlow Serving's REST API reads and writes them.

Source: TensorFlow Serving, "RESTful API": nested lists; bytes as `{"b64": …}`; an output whose
alias ends with `_bytes` is written so; NaN and Infinity are bare words, which JSON has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudserve.savedmodel.signature import TensorSpec

Schema = dict[str, Any]
_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_UNSIGNED = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
_FLOATS = {
    **dict.fromkeys(("float64", "double"), 1.7976931348623157e308),
    **dict.fromkeys(("float32", "float"), 3.4028234663852886e38),
    "bfloat16": 3.3895313892515355e38,
    **dict.fromkeys(("float16", "half"), 65504.0),
}
"""The largest number of each dtype: one beyond it becomes Infinity."""
B64: Schema = {
    "type": "object",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["b64"],
    "additionalProperties": False,
}


def tensor_schema(spec: TensorSpec, *, is_output: bool = False, drop_rows: bool = False) -> Schema:
    """Return the schema of a tensor; with `drop_rows`, of one row of it.

    A tensor of unknown rank is a value or lists of any depth.
    """
    element = _element(spec, is_output=is_output)
    if not element or spec.components:
        return {"description": spec.type}
    if spec.shape is None:
        return {"anyOf": [element, {"type": "array"}], "description": spec.type}
    sizes = spec.shape[1:] if drop_rows else spec.shape
    return {**_nested(element, sizes), "description": spec.type}


def takes_json(spec: TensorSpec) -> bool:
    """Return whether the REST API has a form of the tensor's dtype."""
    return bool(_scalar(spec.dtype)) and not spec.components


def _nested(element: Schema, sizes: Sequence[int | None]) -> Schema:
    schema = element
    for size in reversed(sizes):
        bounds = {} if size is None else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **bounds}
    return schema


def _element(spec: TensorSpec, *, is_output: bool) -> Schema:
    if is_output and spec.dtype in _FLOATS:
        return {"type": "number"}
    if spec.dtype != "string":
        return _scalar(spec.dtype)
    if is_output:
        return B64 if spec.alias.endswith("_bytes") else {"type": "string"}
    return {"anyOf": [{"type": "string"}, B64]}


def _scalar(dtype: str) -> Schema:
    """Return the schema of an element; {} for a dtype without a form in JSON."""
    if dtype in _BITS:
        bits = _BITS[dtype] - 1
        return {"type": "integer", "minimum": -(2**bits), "maximum": 2**bits - 1}
    if dtype in _UNSIGNED:
        return {"type": "integer", "minimum": 0, "maximum": 2 ** _UNSIGNED[dtype] - 1}
    if dtype in _FLOATS:
        return {"type": "number", "minimum": -_FLOATS[dtype], "maximum": _FLOATS[dtype]}
    return {"bool": {"type": "boolean"}, "string": {"type": "string"}}.get(dtype, {})
