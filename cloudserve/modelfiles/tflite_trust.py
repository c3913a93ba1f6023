"""What the kernels of a TensorFlow Lite model trust: values and sizes that end the process.

Some kernels read or write outside of their tensors, or divide by what they should not, for values
that a request may have. Sources: tensorflow/lite/kernels/reverse_sequence.cc, random_ops.cc,
floor_mod.cc, strided_slice.cc, reverse.cc, split.cc, split_v.cc, resize_bilinear.cc,
resize_nearest_neighbor.cc, log_softmax.cc, matrix_set_diag.cc; found with odd requests to models of
one op.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from cloudserve.errors import ModelError
from cloudserve.modelfiles.flatbuffer import Table
from cloudserve.modelfiles.tflite_ops import op_name
from cloudserve.modelfiles.tflite_schema import (
    DTYPES,
    BufferField,
    ModelField,
    OperatorField,
    SubGraphField,
    TensorField,
)

_SHAPES = frozenset({"SHAPE", "RANK"})
"""Ops whose results are sizes, whatever the values of a request are."""
_FILLED = {
    "LOG_SOFTMAX": (0,),
    "MATRIX_SET_DIAG": (0, 1),
    "RESIZE_BILINEAR": (0,),
    "RESIZE_NEAREST_NEIGHBOR": (0,),
    "REVERSE_SEQUENCE": (0, 1),
    "REVERSE_V2": (1,),
    "SPLIT": (0,),
    "SPLIT_V": (2,),
    "STRIDED_SLICE": (1, 2, 3),
}
"""The inputs that may not be empty."""
_FITTING = frozenset({"MATRIX_SET_DIAG"})
"""Ops whose kernels do not compare the sizes of their inputs."""
_FORMS = {"int32": "i", "int64": "q"}


class Trusted(Enum):
    """What a kernel trusts of a tensor's values."""

    LENGTHS = auto()
    """There is one for each row; it is at least 0, and at most the size of a dimension."""
    SIZES = auto()
    """Each is at least 0, and their product is a possible size."""
    DIVISORS = auto()
    """None is -1 if the smallest integer may be divided, which has no such quotient."""


_VALUES = {
    "FLOOR_MOD": (1, Trusted.DIVISORS),
    "RANDOM_STANDARD_NORMAL": (0, Trusted.SIZES),
    "RANDOM_UNIFORM": (0, Trusted.SIZES),
    "REVERSE_SEQUENCE": (1, Trusted.LENGTHS),
}


@dataclass(frozen=True, slots=True)
class TrustedValues:
    """Values of a request that a kernel trusts."""

    op: str
    kind: Trusted
    tensor: int
    """The input with the values; with constant lengths none has."""
    most: int | None = None
    """The largest length, if the model fixes it; else `data` and `dimension` have it."""
    data: int = -1
    """The tensor with the sequences, or that is divided: an input or not."""
    dimension: int = 0
    batch_dimension: int = 0
    constant: tuple[int, ...] = ()
    """The lengths, if they are constant."""


@dataclass(frozen=True, slots=True)
class TrustedSizes:
    """An input that a kernel trusts not to be empty."""

    op: str
    tensor: int
    shape: tuple[int | None, ...] | None
    """The shape that it trusts as well; None in it for an open size."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the kernels of a subgraph trust of its inputs."""

    sizes: tuple[TrustedSizes, ...]
    values: tuple[TrustedValues, ...]


def read_trust(model: Table, number: int, where: str) -> Trust:
    """Return what a subgraph's kernels trust. Raises ModelError if no request can be checked."""
    reader = _Reader(model, model.table(ModelField.SUBGRAPHS, number), where)
    return Trust(tuple(reader.sizes()), tuple(reader.values()))


class _Reader:
    """A subgraph whose tensors are followed to the inputs that they depend on."""

    def __init__(self, model: Table, subgraph: Table, where: str) -> None:
        ops = [op_name(code) for code in model.tables(ModelField.OPERATOR_CODES)]
        self._model, self._where = model, where
        self._tensors = list(subgraph.tables(SubGraphField.TENSORS))
        self._inputs = frozenset(subgraph.integers(SubGraphField.INPUTS) or ())
        self._operators = [
            (ops[one.integer(OperatorField.OPCODE, "I")], one)
            for one in subgraph.tables(SubGraphField.OPERATORS)
        ]
        self._makers = {
            tensor: (op, operator.integers(OperatorField.INPUTS) or ())
            for op, operator in self._operators
            for tensor in operator.integers(OperatorField.OUTPUTS) or ()
        }

    def sizes(self) -> Iterator[TrustedSizes]:
        """Yield the inputs whose sizes are trusted."""
        for op, operator in self._operators:
            given = operator.integers(OperatorField.INPUTS) or ()
            for position in _FILLED.get(op, ()):
                is_exact = op in _FITTING or self._computes_sequences(op, given)
                for tensor in sorted(self._sources(given[position : position + 1])):
                    yield TrustedSizes(op, tensor, self._shape(tensor) if is_exact else None)

    def _computes_sequences(self, op: str, given: Sequence[int]) -> bool:
        """Return whether sequences have the model's sizes only if its inputs have theirs."""
        return op == "REVERSE_SEQUENCE" and given[0] not in self._inputs

    def values(self) -> Iterator[TrustedValues]:
        """Yield the inputs whose values are trusted."""
        for op, operator in self._operators:
            given = operator.integers(OperatorField.INPUTS) or ()
            position, kind = _VALUES.get(op, (0, None))
            if kind is None or position >= len(given):
                continue
            tensor = given[position]
            constant = self._constant(tensor) if kind is Trusted.LENGTHS else ()
            if not constant and not self._is_trusted(op, tensor):
                continue
            if not constant and tensor not in self._inputs:
                raise unchecked(op, "values that it computes itself", self._where)
            if kind is Trusted.LENGTHS:
                yield self._lengths(op, operator, constant)
            else:
                yield TrustedValues(op, kind, tensor, data=given[0])

    def _lengths(self, op: str, operator: Table, constant: tuple[int, ...]) -> TrustedValues:
        data, tensor = (operator.integers(OperatorField.INPUTS) or ())[:2]
        options = operator.child(OperatorField.OPTIONS)
        dimension, batch = (options.integer(0), options.integer(1)) if options else (0, 0)
        sizes = self._shape(data)
        most = sizes[dimension] if 0 <= dimension < len(sizes) else None
        if most is None and data not in self._inputs:
            raise unchecked(op, "sequences whose length it computes itself", self._where)
        return TrustedValues(op, Trusted.LENGTHS, tensor, most, data, dimension, batch, constant)

    def _is_trusted(self, op: str, tensor: int) -> bool:
        """Return whether a request decides a tensor's values.

        FLOOR_MOD must have integers that C++ does not widen before it divides.
        """
        dtype = DTYPES.get(self._tensors[tensor].integer(TensorField.TYPE, "b"), "")
        return (op != "FLOOR_MOD" or dtype in _FORMS) and bool(self._sources((tensor,)))

    def _sources(self, tensors: Sequence[int]) -> frozenset[int]:
        """Return the inputs that values depend on: those of sizes are not followed."""
        waiting, seen = list(tensors), set[int]()
        while waiting:
            tensor = waiting.pop()
            if tensor in seen or not 0 <= tensor < len(self._tensors):
                continue
            seen.add(tensor)
            op, given = self._makers.get(tensor, ("", ()))
            if op not in _SHAPES:
                waiting.extend(given)
        return self._inputs & seen

    def _constant(self, tensor: int) -> tuple[int, ...]:
        """Return a constant's integers; () for any other tensor."""
        table = self._tensors[tensor]
        buffer = self._model.table(ModelField.BUFFERS, table.integer(TensorField.BUFFER, "I"))
        data = buffer.data(BufferField.DATA)
        form = _FORMS.get(DTYPES.get(table.integer(TensorField.TYPE, "b"), ""))
        size = struct.calcsize(f"<{form}") if form else 0
        return struct.unpack_from(f"<{len(data) // size}{form}", data) if size else ()

    def _shape(self, tensor: int) -> tuple[int | None, ...]:
        table = self._tensors[tensor]
        sizes = table.integers(TensorField.SHAPE_SIGNATURE) or table.integers(TensorField.SHAPE)
        return tuple(None if size < 0 else size for size in sizes or ())


def unchecked(op: str, what: str, where: str) -> ModelError:
    """Return the error of a model whose requests cannot be checked before a kernel runs."""
    return ModelError(
        f"the model gives its op {op} {what}, some of which end the process that runs it",
        where=where,
        hint="convert the model with these values as an input or a constant",
    )
