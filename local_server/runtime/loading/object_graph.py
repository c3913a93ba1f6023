"""Which entry of the checkpoint holds a variable, by the object graph of `tf.saved_model.save`.

The restore op of a Keras 3 model sets copies of the variables that its signatures read. Their
values are found in three steps:

1. A function that a signature calls is a concrete function of the object graph, whose bound inputs
   are the last inputs of the call: so an op that makes a variable is an object of the SavedModel.
2. The object graphs of the SavedModel and of the checkpoint are walked together, from the root by
   the names of the children: so an object of the SavedModel is one of the checkpoint.
3. That one names the entry with its value.

Source: tensorflow/core/protobuf/{saved_object_graph,trackable_object_graph}.proto;
tensorflow/python/saved_model/load.py restores by the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...messages import Message

CHECKPOINT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The entry of a checkpoint that holds its `TrackableObjectGraph`."""

_VALUE = "VARIABLE_VALUE"
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


class ObjectGraphError(ValueError):
    """An object graph refers to objects or inputs that do not exist."""


def checkpoint_keys(meta_graph: Message, checkpoint: Message) -> dict[str, str]:
    """Return the checkpoint's keys of the values of variables, by the nodes of their handles.

    `checkpoint` is the `TrackableObjectGraph`. Variables that neither graph tells of are left out.
    Raises ObjectGraphError.
    """
    objects = _paired(meta_graph.object_graph_def, checkpoint)
    keys = {
        number: attribute.checkpoint_key
        for number, one in objects.items()
        for attribute in one.attributes
        if attribute.name == _VALUE
    }
    return {handle: keys[number] for handle, number in _bound_handles(meta_graph) if number in keys}


def _paired(saved: Message, checkpoint: Message) -> dict[int, Message]:
    """Return the checkpoint's object for each of the SavedModel's that has the same path."""
    if not saved.nodes or not checkpoint.nodes:
        return {}
    objects: dict[int, Message] = {}
    pending = [(0, 0)]
    while pending:
        number, other = pending.pop()
        if number in objects:
            continue
        objects[number] = _node(checkpoint, other)
        others = _children(objects[number])
        for name, child in _children(_node(saved, number)).items():
            if name in others:
                pending.append((child, others[name]))
    return objects


def _node(graph: Message, number: int) -> Message:
    if not 0 <= number < len(graph.nodes):
        raise ObjectGraphError(f"object {number} is missing: there are {len(graph.nodes)}")
    return graph.nodes[number]


def _children(node: Message) -> Mapping[str, int]:
    return {child.local_name: child.node_id for child in node.children}


def _bound_handles(meta_graph: Message) -> Iterator[tuple[str, int]]:
    """Yield the nodes of variables that are inputs of calls, and the numbers of their objects."""
    functions = meta_graph.object_graph_def.concrete_functions
    variables = {node.name for node in meta_graph.graph_def.node if node.op == "VarHandleOp"}
    for node in meta_graph.graph_def.node:
        if node.op not in _CALLS or node.attr["f"].func.name not in functions:
            continue
        bound = functions[node.attr["f"].func.name].bound_inputs
        inputs = [name for name in node.input if not name.startswith("^")]
        if len(bound) > len(inputs):
            text = f"{node.name} has {len(inputs)} inputs, fewer than the {len(bound)} bound ones"
            raise ObjectGraphError(text)
        for name, number in zip(inputs[len(inputs) - len(bound) :], bound, strict=True):
            if (handle := name.partition(":")[0]) in variables:
                yield handle, number
