"""Checks of a TensorFlow Lite file's graph, which its interpreter does not make.

The interpreter ends the process when a kernel reads a tensor that the file lacks. Sources:
tensorflow/lite/core/interpreter_builder.cc (what is checked), string_util.h (strings in a buffer),
the kernels' uses of `GetOptionalInputTensor`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from math import inf, prod

from cloudserve.modelfiles.flatbuffer import DamagedError, Table
from cloudserve.modelfiles.tflite_ops import op_name
from cloudserve.modelfiles.tflite_schema import (
    DTYPES,
    BufferField,
    ModelField,
    OperatorField,
    QuantizationField,
    SubGraphField,
    TensorField,
)
from cloudserve.plural import counted

_ABSENT = -1
_OPTIONAL = {
    "FULLY_CONNECTED": 2,
    "CONV_2D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "CONV_3D": 2,
    "TRANSPOSE_CONV": 3,
    "CONV_3D_TRANSPOSE": 3,
    "SVDF": 3,
    "LSTM": 1,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 1,
    "BIDIRECTIONAL_SEQUENCE_LSTM": 1,
    "BIDIRECTIONAL_SEQUENCE_RNN": 1,
}
"""The first input that may be absent, of the built-in ops that have one."""
_LEAST_INPUTS = {"BATCH_MATMUL": 2, "ASSIGN_VARIABLE": 2, "READ_VARIABLE": 1}
"""The ops whose kernels do not count their inputs before they read them."""
_COUNTED = {"SPLIT", "SPLIT_V", "UNPACK"}
"""The ops whose options begin with the number of their outputs."""
_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


def check_graph(model: Table) -> None:
    """Check that each tensor that an op reads has a value. Raises DamagedError."""
    ops = [op_name(code) for code in model.tables(ModelField.OPERATOR_CODES)]
    for number, subgraph in enumerate(model.tables(ModelField.SUBGRAPHS)):
        place = f" of subgraph {number}" if number else ""
        _check(_SubGraph(model, subgraph, place), ops)


class _SubGraph:
    """A subgraph with its tensors."""

    def __init__(self, model: Table, table: Table, place: str) -> None:
        self._model = model
        self.table = table
        self.place = place
        self.tensors = list(table.tables(SubGraphField.TENSORS))

    def known(self, numbers: Sequence[int], owner: str) -> Sequence[int]:
        """Return numbers that are all those of tensors. Raises DamagedError."""
        for number in numbers:
            if not 0 <= number < len(self.tensors):
                raise DamagedError(f"{owner}{self.place} names the tensor {number}")
        return numbers

    def constants(self) -> Iterator[int]:
        """Yield the tensors that have values before the first op runs."""
        for number, tensor in enumerate(self.tensors):
            self._check_quantization(number, tensor)
            if self._has_value(number, tensor):
                yield number

    def _has_value(self, number: int, tensor: Table) -> bool:
        is_kept = tensor.integer(TensorField.IS_VARIABLE, "B")
        if is_kept or tensor.integer(TensorField.EXTERNAL_BUFFER, "I"):
            return True
        sizes = tensor.integers(TensorField.SHAPE) or ()
        buffer = self._model.table(ModelField.BUFFERS, tensor.integer(TensorField.BUFFER, "I"))
        is_string = DTYPES.get(tensor.integer(TensorField.TYPE, "b")) == "string"
        if buffer.integer(BufferField.OFFSET, "Q") > 1:  # the values follow the FlatBuffer
            return True
        if not buffer.count_of_bytes(BufferField.DATA):
            return 0 in sizes and not is_string
        if is_string and min(sizes, default=0) >= 0:
            owner = f"the tensor {number}{self.place}"
            _check_strings(buffer.data(BufferField.DATA), prod(sizes), owner)
        return True

    def _check_quantization(self, number: int, tensor: Table) -> None:
        limits = _RANGES.get(DTYPES.get(tensor.integer(TensorField.TYPE, "b"), ""))
        quantization = tensor.child(TensorField.QUANTIZATION)
        if limits is None or quantization is None:
            return
        least, most = limits
        for scale in quantization.floats(QuantizationField.SCALE):
            if not 0 <= scale < inf:
                raise DamagedError(f"the tensor {number}{self.place} has the scale {scale:g}")
        for zero in quantization.longs(QuantizationField.ZERO_POINT):
            if not least <= zero <= most:
                raise DamagedError(f"the tensor {number}{self.place} has the zero point {zero}")


def _check(subgraph: _SubGraph, ops: Sequence[str]) -> None:
    table = subgraph.table
    valued = set(subgraph.constants())
    valued.update(subgraph.known(table.integers(SubGraphField.INPUTS) or (), "an input"))
    for number, operator in enumerate(table.tables(SubGraphField.OPERATORS)):
        code = operator.integer(OperatorField.OPCODE, "I")
        if code >= len(ops):
            raise DamagedError(f"the operator {number}{subgraph.place} is of the unknown op {code}")
        owner = f"the operator {number} ({ops[code]})"
        inputs, outputs = _operands(operator, ops[code], f"{owner}{subgraph.place}")
        _require(valued, subgraph.known(inputs, owner), owner, subgraph.place)
        valued.update(subgraph.known(outputs, owner))
    outputs = subgraph.known(table.integers(SubGraphField.OUTPUTS) or (), "an output")
    _require(valued, outputs, "an output", subgraph.place)


def _operands(operator: Table, op: str, owner: str) -> tuple[Sequence[int], Sequence[int]]:
    """Return the inputs and outputs of an operator, without the absent ones."""
    inputs = operator.integers(OperatorField.INPUTS) or ()
    outputs = operator.integers(OperatorField.OUTPUTS) or ()
    if len(inputs) < _LEAST_INPUTS.get(op, 0):
        raise DamagedError(f"{owner} has {counted(len(inputs), 'input')}")
    options = operator.child(OperatorField.OPTIONS) if op in _COUNTED else None
    if options and options.integer(0) != len(outputs):
        raise DamagedError(f"{owner} has {counted(len(outputs), 'output')}")
    return _required(op, inputs), [one for one in outputs if one != _ABSENT]


def _required(op: str, inputs: Sequence[int]) -> Sequence[int]:
    """Return an op's inputs without the optional ones that are absent."""
    first = _OPTIONAL.get(op, len(inputs))
    return [one for at, one in enumerate(inputs) if at < first or one != _ABSENT]


def _require(valued: set[int], numbers: Sequence[int], owner: str, place: str) -> None:
    for number in numbers:
        if number not in valued:
            raise DamagedError(f"{owner}{place} reads the tensor {number}, which has no value")


def _check_strings(data: bytes, expected: int, owner: str) -> None:
    """Check that a buffer has strings: their number, where each begins, where the last ends."""
    count = struct.unpack_from("<i", data)[0] if len(data) >= struct.calcsize("<i") else 0
    form = f"<{expected + 2}i"
    if count != expected or struct.calcsize(form) > len(data):
        raise DamagedError(
            f"{owner} has {counted(count, 'string')} in {counted(len(data), 'byte')}"
        )
    places = struct.unpack_from(form, data)[1:]
    is_inside = struct.calcsize(form) <= places[0] and places[-1] <= len(data)
    if not is_inside or list(places) != sorted(places):
        raise DamagedError(f"{owner} has strings outside of its {counted(len(data), 'byte')}")
