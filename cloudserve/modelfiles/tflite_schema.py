"""The fields and element types of TensorFlow Lite's schema, as far as they are read.

Source: tensorflow/lite/schema/schema.fbs; the number of a field is its place in its table.
"""

from __future__ import annotations

from enum import IntEnum


class ModelField(IntEnum):
    """Fields of `Model`."""

    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    BUFFERS = 4
    METADATA = 6
    SIGNATURES = 7


class SubGraphField(IntEnum):
    """Fields of `SubGraph`."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3


class OperatorField(IntEnum):
    """Fields of `Operator`."""

    OPCODE = 0
    INPUTS = 1
    OUTPUTS = 2
    OPTIONS = 4


class BufferField(IntEnum):
    """Fields of `Buffer`."""

    DATA = 0
    OFFSET = 1


class QuantizationField(IntEnum):
    """Fields of `QuantizationParameters`."""

    SCALE = 2
    ZERO_POINT = 3


class TensorField(IntEnum):
    """Fields of `Tensor`."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    QUANTIZATION = 4
    IS_VARIABLE = 5
    SHAPE_SIGNATURE = 7
    EXTERNAL_BUFFER = 10


class SignatureField(IntEnum):
    """Fields of `SignatureDef`."""

    INPUTS = 0
    OUTPUTS = 1
    KEY = 2
    SUBGRAPH = 4


class TensorMapField(IntEnum):
    """Fields of `TensorMap`."""

    NAME = 0
    TENSOR = 1


DTYPES = {
    0: "float32",
    2: "int32",
    3: "uint8",
    4: "int64",
    5: "string",
    6: "bool",
    7: "int16",
    8: "complex64",
    9: "int8",
}
"""The `TensorType`s that TensorFlow Serving knows (tflite_session.cc, `TfLiteTypeToTfType`)."""

OTHER_DTYPES = {
    1: "float16",
    10: "float64",
    11: "complex128",
    12: "uint64",
    13: "resource",
    14: "variant",
    15: "uint32",
    16: "uint16",
    17: "int4",
    18: "bfloat16",
}
"""The others, by name."""
