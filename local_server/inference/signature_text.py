"""A SignatureDef in protobuf's text form, which some error texts quote.

Without a definition only the fields of a Signature are printed: no default values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf import text_format

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name
from cloudserve.savedmodel.signature import Signature, TensorSpec

PROTO_DTYPES = {dtype_name(number): name for number, name in PROTO_NAMES.items()}
"""TensorFlow's Python names of element types to those of `DataType`: float32 to DT_FLOAT."""

_INDENT = "  "


def signature_text(signature: Signature, definition: Any = None) -> str:
    """Return the `SignatureDef` of the model's file in text form (`DebugString`)."""
    if definition is not None:
        text: str = text_format.MessageToString(definition)
        return text
    lines = [line for spec in signature.inputs for line in _entry("inputs", spec)]
    lines += [line for spec in signature.outputs for line in _entry("outputs", spec)]
    if signature.method_name:
        lines.append(f'method_name: "{signature.method_name}"')
    return "".join(f"{line}\n" for line in lines)


def _entry(field: str, spec: TensorSpec) -> Iterator[str]:
    yield f"{field} {{"
    yield f'{_INDENT}key: "{spec.alias}"'
    yield from _nested("value", _tensor_info(spec), _INDENT)
    yield "}"


def _tensor_info(spec: TensorSpec) -> Iterator[str]:
    if spec.tensor_name:
        yield f'name: "{spec.tensor_name}"'
    yield f"dtype: {PROTO_DTYPES.get(spec.dtype, spec.dtype)}"
    yield from _nested("tensor_shape", _shape(spec))


def _shape(spec: TensorSpec) -> Iterator[str]:
    if spec.shape is None:
        yield "unknown_rank: true"
    for size in spec.shape or ():
        yield from _nested("dim", iter([f"size: {-1 if size is None else size}"]))


def _nested(name: str, lines: Iterator[str], indent: str = "") -> Iterator[str]:
    yield f"{indent}{name} {{"
    for line in lines:
        yield f"{indent}{_INDENT}{line}"
    yield f"{indent}}}"
