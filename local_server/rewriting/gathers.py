"""Rows of variables, read by way of the whole variable.

TensorFlow makes no constant of a variable that a function reads with `ResourceGather`: the
function's argument becomes a tensor, and the op still wants a resource (`convert_to_constants` of
2.21).
"""

from __future__ import annotations

from collections.abc import Callable

from ..messages import Message

_INT32 = 3
_GATHERS = {"ResourceGather": "GatherV2", "ResourceGatherNd": "GatherNd"}


def gather_from_values(graph_def: Message) -> None:
    """Replace the ops that gather from variables by a read and a gather from its value."""
    _replace(graph_def.node, lambda name, _: name)
    for function in graph_def.library.function:
        # In a function, a tensor has the name of its node's output.
        _replace(function.node_def, lambda name, output: f"{name}:{output}:0")


def _replace(nodes: Message, tensor: Callable[[str, str], str]) -> None:
    for node in [node for node in nodes if node.op in _GATHERS]:
        read = nodes.add(name=f"{node.name}/value", op="ReadVariableOp", input=[node.input[0]])
        read.attr["dtype"].CopyFrom(node.attr["dtype"])
        node.input[0] = tensor(read.name, "value")
        node.op = _GATHERS[node.op]
        kept = {"Tparams": node.attr["dtype"].type, "Tindices": node.attr["Tindices"].type}
        batch_dims = node.attr["batch_dims"].i
        node.attr.clear()
        for name, dtype in kept.items():
            node.attr[name].type = dtype
        if node.op == "GatherV2":
            axis = nodes.add(name=f"{node.name}/axis", op="Const")
            axis.attr["dtype"].type = node.attr["Taxis"].type = _INT32
            axis.attr["value"].tensor.dtype = _INT32
            axis.attr["value"].tensor.tensor_shape.SetInParent()
            axis.attr["value"].tensor.int_val.append(batch_dims)
            node.attr["batch_dims"].i = batch_dims
            node.input.insert(2, tensor(axis.name, "output"))
