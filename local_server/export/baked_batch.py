"""The node that holds a fixed batch in a constant, for the refusal of `--open-batch`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from cloudserve.errors import ModelError
from cloudserve.savedmodel.graph import node_name, read_graph

from ..codecs.tensor_proto import from_tensor_proto
from ..messages import Message
from ..rewriting.copies import read_model

_SHAPES: Mapping[str, tuple[int, ...]] = {
    "BroadcastTo": (1,),
    "EmptyTensorList": (0,),
    "Fill": (0,),
    "RandomStandardNormal": (0,),
    "RandomUniform": (0,),
    "Reshape": (1,),
    "Slice": (2,),
    "TensorArrayV3": (0,),
    "TensorListFromTensor": (1,),
    "TensorListReserve": (0, 1),
    "TensorListStack": (1,),
    "Tile": (1,),
    "TruncatedNormal": (0,),
}
"""Ops that take a shape, or a number of rows, and the positions of these inputs."""
_FORWARDS = frozenset({"Cast", "ExpandDims", "Identity", "Squeeze"})
_INTEGERS = frozenset({3, 9})
"""`DT_INT32` and `DT_INT64` (tensorflow/core/framework/types.proto)."""
_FAILED = re.compile(r"\{\{node ([^}\s]+)\}\}")
_HINT = "build the graph with an open first dimension, or leave --open-batch out"

_Nodes = Mapping[str, Message]


@contextmanager
def naming_baked(folder: Path, signature: str, batch: int) -> Iterator[None]:
    """Let a difference of a version name the node that holds the batch; nothing if it is 0."""
    try:
        yield
    except ModelError as error:
        if not batch:
            raise
        node = find_baked(folder, signature, batch)
        failed = _FAILED.search(str(error.__cause__))
        reason = f"the node {node} has it in a constant; " if node else ""
        place = f", in {failed[1]}" if failed and not node else ""
        raise ModelError(
            f"the batch of {batch} of {signature} cannot be opened: {reason}{error.message}{place}",
            where=error.where or str(folder),
            hint=_HINT,
        ) from error


def find_baked(folder: Path, signature: str, batch: int) -> str:
    """Return the name and op of the first node that has a batch in a constant shape, or ""."""
    meta_graph = read_model(folder).meta_graphs[0]
    outputs = [info.name for info in meta_graph.signature_def[signature].outputs.values()]
    graph = read_graph(meta_graph.graph_def)
    needed = list(graph.ancestors(outputs))
    bodies = [{node.name: node for node in one.node_def} for one in graph.called_by(needed)]
    for nodes in ({node.name: node for node in needed}, *bodies):
        for node in nodes.values():
            if _has_batch(nodes, node, batch):
                return f"{node.name} ({node.op})"
    return ""


def _has_batch(nodes: _Nodes, node: Message, batch: int) -> bool:
    if node.op == "Tile" and batch == 1:  # every dimension that is not repeated has a 1
        return False
    inputs = [node.input[n] for n in _SHAPES.get(node.op, ()) if n < len(node.input)]
    return any(next(_numbers(nodes, one), None) == batch for one in inputs)


def _numbers(nodes: _Nodes, tensor: str) -> Iterator[int | None]:
    """Yield the numbers of a shape that the graph has as constants, None for others."""
    node = nodes.get(node_name(tensor))
    if node is None:
        yield None
    elif node.op == "Const":
        yield from _constant(node)
    elif node.op in _FORWARDS:
        yield from _numbers(nodes, node.input[0])
    elif node.op in {"Pack", "ConcatV2"}:
        parts = list(node.input)[: -1 if node.op == "ConcatV2" else None]
        yield from chain.from_iterable(_numbers(nodes, one) for one in parts)
    elif node.op == "StridedSlice":
        yield from _slice(*(list(_numbers(nodes, one)) for one in node.input[:3]))
    else:
        yield None


def _slice(
    numbers: list[int | None], begin: list[int | None], end: list[int | None]
) -> list[int | None]:
    known = len(begin) == len(end) == 1 and None not in (*begin, *end)
    return numbers[begin[0] : end[0] or None] if known else [None]


def _constant(node: Message) -> list[int | None]:
    tensor = node.attr["value"].tensor
    if tensor.dtype not in _INTEGERS:
        return [None]
    numbers: list[int | None] = from_tensor_proto(tensor).ravel().tolist()
    return numbers
