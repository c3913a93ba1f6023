"""The op that computes a tensor, through calls of functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudserve.savedmodel.graph import node_name

_FORWARDS = frozenset({"Cast", "EnsureShape", "Identity", "Reshape", "StopGradient"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def last_op(tensor: Any) -> str:
    """Return the op of a graph's tensor, "" if it is an input or the graph is eager.

    Ops that pass values on are not asked, such as Identity.
    """
    graph_def = tensor.graph.as_graph_def()
    functions = {one.signature.name: one for one in graph_def.library.function}
    nodes = {node.name: node for node in graph_def.node}
    name = tensor.name
    while (node := nodes.get(node_name(name))) is not None:
        if node.op in _FORWARDS:
            name = node.input[0]
        elif node.op in _CALLS and node.attr["f"].func.name in functions:
            function = functions[node.attr["f"].func.name]
            name = _returned(function, name)
            nodes = {one.name: one for one in function.node_def}
        else:
            op: str = node.op
            return op
    return ""


def _returned(function: Any, tensor: str) -> str:
    """Return the tensor in a function that is the output of a call, such as `call:output:1`."""
    number = tensor.rpartition(":")[2]
    outputs = [one.name for one in function.signature.output_arg]
    returned: Mapping[str, str] = function.ret
    return returned[outputs[int(number) if number.isdigit() else 0]]
