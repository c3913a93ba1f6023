"""ONNX models: their inputs, outputs, operators and files, read from the protobuf.

Source: onnx/onnx.proto. The inputs of a graph that an initializer gives a value are constants of
the model (until IR version 3 every initializer had to be an input too); onnxruntime calls them
overridable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cloudserve.errors import ModelError
from cloudserve.modelfiles.names import shown
from cloudserve.modelfiles.wire import fields, integer, messages, text
from cloudserve.savedmodel.signature import PREDICT_METHOD, Shape, Signature, TensorSpec

DEFAULT_SIGNATURE = "serving_default"
OPSETS = ("ai.onnx", "ai.onnx.ml")
_HINT = "copy the file again, or export the model again"
_ZIPMAP = "; without ZipMap in skl2onnx: to_onnx(model, X, options={'zipmap': False})"

# Fields of ModelProto, GraphProto, NodeProto, AttributeProto and so on.
_IR_VERSION, _PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSETS, _FUNCTIONS = 1, 2, 3, 7, 8, 25
_NODES, _INITIALIZERS, _INPUTS, _OUTPUTS, _SPARSE_INITIALIZERS = 1, 5, 11, 12, 15
_OP, _ATTRIBUTES, _DOMAIN, _FUNCTION_NODES = 4, 5, 7, 7
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS = 5, 6, 10, 11
_NAME, _TYPE, _TENSOR_NAME, _EXTERNAL_DATA = 1, 2, 8, 13
_TENSOR_TYPE, _ELEMENT_TYPE, _SHAPE = 1, 1, 2
_KINDS = {4: "a sequence", 5: "a map", 7: "an opaque value", 8: "a sparse tensor", 9: "optional"}

# `TensorProto.DataType`: those that onnxruntime takes and gives as arrays of numpy.
_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
}
_OTHER_DTYPES = {
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    19: "float8_e5m2",
    21: "uint4",
    22: "int4",
}


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An ONNX model's description of itself."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: tuple[str, ...]
    """Distinct operators, sorted; those of other domains with the domain before a dot."""
    opsets: tuple[tuple[str, int], ...]
    external_files: tuple[str, ...]
    """The files of weights that are not in the model's own, as the model names them, sorted."""
    details: tuple[tuple[str, str], ...]
    """The IR version, the opsets and the producer, for people."""

    def signature(self) -> Signature:
        """Return the model's one signature."""
        return Signature(DEFAULT_SIGNATURE, PREDICT_METHOD, self.inputs, self.outputs)


def read_onnx(data: bytes, where: str) -> OnnxModel:
    """Read an ONNX model.

    Raises ModelError if it is damaged, or for inputs and outputs that are not tensors, or tensors
    of a type that requests cannot have.
    """
    with _reported(where):
        model = memoryview(data)
        graph = next(messages(model, _GRAPH), None)
        if graph is None:
            raise ValueError("it has no graph")
        return _read(model, graph, where)


def _read(model: memoryview, graph: memoryview, where: str) -> OnnxModel:
    constants = {text(one, _TENSOR_NAME) for one in messages(graph, _INITIALIZERS)}
    # A SparseTensorProto has the name in its `values`, field 1.
    for sparse in messages(graph, _SPARSE_INITIALIZERS):
        constants.update(text(values, _TENSOR_NAME) for values in messages(sparse, 1))
    inputs = [one for one in messages(graph, _INPUTS) if text(one, _NAME) not in constants]
    opsets = tuple((text(one, 1) or OPSETS[0], integer(one, 2)) for one in messages(model, _OPSETS))
    nodes = list(_nodes(model, graph))
    return OnnxModel(
        _specs(inputs, "input", where),
        _specs(messages(graph, _OUTPUTS), "output", where),
        tuple(sorted({_operator(node) for node in nodes})),
        opsets,
        tuple(sorted(_external_files(_tensors(graph, nodes)))),
        _details(model, opsets),
    )


def _specs(values: Iterable[memoryview], word: str, where: str) -> tuple[TensorSpec, ...]:
    specs = [_spec(value, word, where) for value in values]
    return tuple(sorted(specs, key=lambda spec: spec.alias))


def _spec(value: memoryview, word: str, where: str) -> TensorSpec:
    name = text(value, _NAME)
    kind = next(messages(value, _TYPE), memoryview(b""))
    tensor = next(messages(kind, _TENSOR_TYPE), None)
    if tensor is None:
        found = next((_KINDS[number] for number, _ in fields(kind) if number in _KINDS), "untyped")
        raise ModelError(
            f"the {word} {shown(name)} is {found}, and requests have tensors only",
            where=where,
            hint=f"export the model with tensors alone{_ZIPMAP if word == 'output' else ''}",
        )
    number = integer(tensor, _ELEMENT_TYPE)
    if number not in _DTYPES:
        dtype = _OTHER_DTYPES.get(number, f"type {number}")
        raise ModelError(
            f"the {word} {shown(name)} is of {dtype}, which requests to ONNX models cannot have",
            where=where,
            hint="add a Cast to float32 at the model's boundary",
        )
    return TensorSpec(name, name, _DTYPES[number], _shape(tensor))


def _shape(tensor: memoryview) -> Shape:
    """Return the sizes, None for a named or missing one; a missing shape is an unknown rank."""
    shape = next(messages(tensor, _SHAPE), None)
    return None if shape is None else tuple(map(_size, messages(shape, 1)))


def _size(dimension: memoryview) -> int | None:
    value = next((size for number, size in fields(dimension) if number == 1), None)
    return value if isinstance(value, int) and value < 2**63 else None


def _nodes(model: memoryview, graph: memoryview) -> Iterator[memoryview]:
    """Yield the nodes of the graph, its subgraphs and the model's functions."""
    pending = [(graph, _NODES)]
    pending += [(function, _FUNCTION_NODES) for function in messages(model, _FUNCTIONS)]
    while pending:
        owner, number = pending.pop()
        for node in messages(owner, number):
            yield node
            pending += [(inner, _NODES) for inner in _subgraphs(node)]


def _subgraphs(node: memoryview) -> Iterator[memoryview]:
    for attribute in messages(node, _ATTRIBUTES):
        for field in (_SUBGRAPH, _SUBGRAPHS):
            yield from messages(attribute, field)


def _operator(node: memoryview) -> str:
    domain = text(node, _DOMAIN)
    return f"{domain}.{text(node, _OP)}" if domain and domain not in OPSETS else text(node, _OP)


def _tensors(graph: memoryview, nodes: Iterable[memoryview]) -> Iterator[memoryview]:
    """Yield the constants of a graph, of the subgraphs of its nodes, and of their attributes."""
    yield from messages(graph, _INITIALIZERS)
    for node in nodes:
        for inner in _subgraphs(node):
            yield from messages(inner, _INITIALIZERS)
        for attribute in messages(node, _ATTRIBUTES):
            for field in (_TENSOR, _TENSORS):
                yield from messages(attribute, field)


def _external_files(tensors: Iterable[memoryview]) -> set[str]:
    return {
        text(entry, 2)
        for tensor in tensors
        for entry in messages(tensor, _EXTERNAL_DATA)
        if text(entry, 1) == "location"
    }


def _details(model: memoryview, opsets: tuple[tuple[str, int], ...]) -> tuple[tuple[str, str], ...]:
    producer = f"{text(model, _PRODUCER)} {text(model, _PRODUCER_VERSION)}".strip()
    return (
        ("IR version", str(integer(model, _IR_VERSION))),
        ("opset", ", ".join(f"{domain} {version}" for domain, version in opsets)),
        *([("producer", producer)] if producer else ()),
    )


@contextmanager
def _reported(where: str) -> Iterator[None]:
    """Report damage in one sentence."""
    try:
        yield
    except ValueError as error:
        raise ModelError(
            f"the file is not an ONNX model, or is damaged or truncated: {error}",
            where=where,
            hint=_HINT,
        ) from error
