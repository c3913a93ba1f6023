"""TensorFlow's element types: `DataType` numbers, and their names in .proto files and Python.

Source: tensorflow/core/framework/types.proto (`DataType`), tensorflow/python/framework/dtypes.py
(`DType.name`).
"""

from __future__ import annotations

# fmt: off
_IN_ORDER = (
    "float32", "float64", "int32", "uint8", "int16", "int8",
    "string", "complex64", "int64", "bool", "qint8", "quint8", "qint32",
    "bfloat16", "qint16", "quint16", "uint16", "complex128", "float16",
    "resource", "variant", "uint32", "uint64",
    "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz",
    "int4", "uint4", "int2", "uint2", "float4_e2m1fn",
)
# fmt: on
_RENAMED = {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}

# types.proto: "DT_FLOAT_REF = 101", each reference type a hundred above its value type.
_REF_OFFSET = 100

_VALUES = dict(enumerate(_IN_ORDER, start=1))
_REFS = {number + _REF_OFFSET: f"{name}_ref" for number, name in _VALUES.items()}
_NAMES = {0: "invalid", **_VALUES, **_REFS}


def _proto_name(name: str) -> str:
    base = name.removesuffix("_ref")
    return _RENAMED.get(base, f"DT_{base.upper()}") + ("_REF" if base != name else "")


PROTO_NAMES = {number: _proto_name(name) for number, name in _NAMES.items()}
"""`DataType` numbers and their names as text-form protobufs spell them: 1 -> "DT_FLOAT"."""


def dtype_name(number: int) -> str:
    """Return TensorFlow's Python name of a `DataType`: 1 -> "float32", 101 -> "float32_ref".

    0 (`DT_INVALID`, which init ops carry) is "invalid"; a number of a later TensorFlow is
    "unknown_NUMBER".
    """
    return _NAMES.get(number, f"unknown_{number}")
