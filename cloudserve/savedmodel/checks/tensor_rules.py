"""Compatibility of one input or output: dtype, form and shape.

The rules on JSON numbers are those of tensorflow_serving/util/json_tensor.cc: an integer is
accepted for a float, a number with a point is refused for an integer, and float16, bfloat16 and
uint16 have no JSON form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from cloudserve.plural import counted
from cloudserve.savedmodel.checks.differences import Difference, Effect
from cloudserve.savedmodel.signature import Shape, TensorSpec

Side = Literal["input", "output"]

_FLOATS = frozenset({"float32", "float64"})
_INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint32", "uint64"})
_NUMBERS = _FLOATS | _INTEGERS
JSON_DTYPES = _NUMBERS | {"bool", "string"}
"""The dtypes that TensorFlow Serving's JSON has a form of."""


def compare_tensors(
    signature: str, side: Side, before: TensorSpec, after: TensorSpec
) -> Iterator[Difference]:
    """Yield the differences between two versions of an input or output."""
    noun = f"{side} {before.alias}"
    if before.dtype != after.dtype:
        text = f"{noun}: dtype changes from {before.dtype} to {after.dtype}"
        read = _json_input if side == "input" else _json_output
        yield _difference(signature, text, read(before, after))
    if len(before.components) != len(after.components):
        text = f"{noun} changes from {_form(before)} to {_form(after)}"
        yield Difference(signature, text, Effect.ALL)
    elif before.shape != after.shape:
        yield _shape(signature, side, before, after)


def _difference(signature: str, text: str, answered: str) -> Difference:
    return Difference(signature, text, Effect.SOME if answered else Effect.ALL, answered)


def _json_input(before: TensorSpec, after: TensorSpec) -> str:
    """Return the requests that still parse with another dtype; "" for none."""
    if before.dtype not in _NUMBERS or after.dtype not in _NUMBERS:
        return ""
    if after.dtype in _FLOATS:
        return "JSON requests"
    return f"JSON requests with integers of {after.dtype} for {after.alias}"


def _json_output(before: TensorSpec, after: TensorSpec) -> str:
    for numbers in (_FLOATS, _INTEGERS):
        if {before.dtype, after.dtype} <= numbers:
            return "JSON requests"
    return ""


def _shape(signature: str, side: Side, before: TensorSpec, after: TensorSpec) -> Difference:
    change = f"{_shape_text(before.shape)} to {_shape_text(after.shape)}"
    text = f"{side} {before.alias}: shape changes from {change}"
    if not _agrees(before.shape, after.shape):
        return Difference(signature, text, Effect.ALL)
    # An output that is less specific may still be the same: only contradicting sizes break.
    if side == "output" or _accepts(before.shape, after.shape):
        return Difference(signature, text)
    both = _shape_text(_common(before.shape, after.shape))
    return _difference(signature, text, f"requests whose {before.alias} has the shape {both}")


def _accepts(before: Shape, after: Shape) -> bool:
    """Return whether every tensor of the shape `before` has the shape `after` too."""
    if after is None or before is None:
        return after is None
    return len(before) == len(after) and all(
        new is None or new == old for old, new in zip(before, after, strict=True)
    )


def _agrees(before: Shape, after: Shape) -> bool:
    """Return whether a tensor can have both shapes."""
    if before is None or after is None:
        return True
    return len(before) == len(after) and all(
        None in (old, new) or new == old for old, new in zip(before, after, strict=True)
    )


def _common(before: Shape, after: Shape) -> Shape:
    """Return the shape of the tensors that have both of two agreeing shapes."""
    if before is None or after is None:
        return after if before is None else before
    return tuple(new if old is None else old for old, new in zip(before, after, strict=True))


def _form(spec: TensorSpec) -> str:
    return (
        counted(len(spec.components), "component tensor") if spec.components else "one dense tensor"
    )


def _shape_text(shape: Shape) -> str:
    if shape is None:
        return "[...]"
    return f"[{','.join('?' if size is None else str(size) for size in shape)}]"
