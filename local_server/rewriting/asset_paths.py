"""The paths of assets without the variables that TensorFlow 2 keeps them in.

`tf.saved_model.save` makes of each `tf.saved_model.Asset` a variable, which the init op sets to the
path that a loader feeds (tensorflow/python/saved_model/save.py: `_add_asset_info`). Such a variable
has no value in the checkpoint, and no constant could have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudserve.savedmodel.graph import node_name

from ..messages import Message
from .pruning import read_assets

_ASSIGN, _READ = "AssignVariableOp", "ReadVariableOp"
_STRING = 7


def read_paths_directly(meta_graph: Message) -> int:
    """Let the readers of a variable with an asset's path read the path; return how many there were.

    A variable that anything else uses is not changed.
    """
    fed = {node_name(asset.tensor_info.name) for asset in read_assets(meta_graph)}
    users = _users(meta_graph.graph_def)
    count = 0
    for assign in list(meta_graph.graph_def.node):
        if assign.op != _ASSIGN or node_name(assign.input[1]) not in fed:
            continue
        readers = [one for one in users.get(node_name(assign.input[0]), ()) if one is not assign]
        if all(one.op in {_READ, "VarIsInitializedOp"} for one in readers):
            for reader in readers:
                if reader.op == _READ:
                    _make_identity(reader, assign.input[1])
            _make_no_op(assign)
            count += 1
    return count


def _users(graph_def: Message) -> Mapping[str, list[Message]]:
    users: dict[str, list[Message]] = {}
    for node in graph_def.node:
        for tensor in node.input:
            if not tensor.startswith("^"):
                users.setdefault(node_name(tensor), []).append(node)
    return users


def _make_identity(node: Message, tensor: str) -> None:
    controls = list(_controls(node))
    node.op = "Identity"
    node.input[:] = [tensor, *controls]
    node.attr.clear()
    node.attr["T"].type = _STRING


def _make_no_op(node: Message) -> None:
    controls = list(_controls(node))
    node.op = "NoOp"
    node.input[:] = controls
    node.attr.clear()


def _controls(node: Message) -> Iterator[str]:
    return (tensor for tensor in node.input if tensor.startswith("^"))
