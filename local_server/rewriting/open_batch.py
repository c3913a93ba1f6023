"""An open first dimension of signatures whose graph has a fixed one.

A fixed batch is in the placeholders, and in the shapes that TensorFlow noted when it built the
graph: of nodes, of the arguments of functions, of loops, of Python's functions. Shapes that depend
on the batch have other numbers than its own, so that all notes go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from cloudserve.errors import ModelError
from cloudserve.savedmodel.graph import Graph, node_name, read_graph

from ..messages import Message

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderWithDefault"})
_NOTED = ("_output_shapes", "_input_shapes")
_DECLARED = "output_shapes"
"""What the shape functions of loops and branches return (tensorflow/core/ops/functional_ops.cc)."""
_DECLARING = frozenset({"Case", "If", "StatelessCase", "StatelessIf", "StatelessWhile", "While"})
_OPEN = -1


def open_batch(meta_graph: Message, batches: Mapping[str, int]) -> None:
    """Open the first dimension of signatures; `batches` has the fixed size of each.

    Raises ModelError for an input that is not a placeholder.
    """
    graph = read_graph(meta_graph.graph_def)
    for name, batch in batches.items():
        definition = meta_graph.signature_def[name]
        for alias, info in definition.inputs.items():
            _open_placeholder(graph, alias, info.name)
        for info in chain(definition.inputs.values(), definition.outputs.values()):
            _open_first(info.tensor_shape)
        _open_functions(meta_graph, graph, definition, batch)
    _forget_shapes(meta_graph.graph_def)


def _open_placeholder(graph: Graph, alias: str, tensor: str) -> None:
    node = graph.nodes[node_name(tensor)]
    if node.op not in PLACEHOLDERS:
        raise ModelError(
            f"the batch of {alias} cannot be opened: {node.name} ({node.op}) computes it, and is "
            "not a placeholder",
            hint="name a placeholder with --inputs, or leave --open-batch out",
        )
    if "shape" in node.attr:
        _open_first(node.attr["shape"].shape)


def _open_first(shape: Message) -> None:
    if shape.dim:
        shape.dim[0].size = _OPEN


def _forget_shapes(graph_def: Message) -> None:
    _forget(graph_def.node)
    for function in graph_def.library.function:
        _forget([function, *function.arg_attr.values(), *function.node_def])


def _forget(noted: Iterable[Message]) -> None:
    for one in noted:
        for name in _NOTED:
            if name in one.attr:
                del one.attr[name]
        if getattr(one, "op", "") in _DECLARING and _DECLARED in one.attr:
            for shape in one.attr[_DECLARED].list.shape:
                for dim in shape.dim:
                    dim.size = _OPEN


def _open_functions(meta_graph: Message, graph: Graph, definition: Message, batch: int) -> None:
    """Open the specs by which Python calls the functions of a signature."""
    functions = meta_graph.object_graph_def.concrete_functions
    outputs = [info.name for info in definition.outputs.values()]
    for one in graph.called_by(graph.ancestors(outputs)):
        if one.signature.name in functions:
            concrete = functions[one.signature.name]
            for value in (concrete.canonicalized_input_signature, concrete.output_signature):
                for shape in _shapes(value):
                    if shape.dim and shape.dim[0].size == batch:
                        _open_first(shape)


def _shapes(value: Message) -> Iterator[Message]:
    """Yield the shapes of the tensors in a `StructuredValue`."""
    kind = value.WhichOneof("kind")
    if kind == "tensor_spec_value":
        yield value.tensor_spec_value.shape
    elif kind in {"tuple_value", "list_value"}:
        for one in getattr(value, kind).values:
            yield from _shapes(one)
    elif kind == "dict_value":
        for one in value.dict_value.fields.values():
            yield from _shapes(one)
    elif kind == "named_tuple_value":
        for pair in value.named_tuple_value.values:
            yield from _shapes(pair.value)
