"""Variables without a value: their handles get the names of those that the restore op assigns.

A Keras 3 model of `tf.saved_model.save` reads variables other than those that its restore op
assigns. Both have the same entries of the checkpoint: the object graph names the entry of each that
is read, the restore function that of each that it assigns. Two handles with one shared name are one
variable (tensorflow/core/kernels/resource_variable_ops.cc, `VarHandleOp`), so the checkpoint stays
as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from cloudserve.errors import ModelError

from ..messages import Message, message_class
from ..runtime.capi.graph import Graph
from ..runtime.capi.session import Session
from ..runtime.dtypes import STRING
from ..runtime.loading.object_graph import CHECKPOINT_GRAPH, ObjectGraphError, checkpoint_keys
from ..runtime.loading.saved_model import VARIABLES, string
from ..runtime.loading.variables import add_restore, identity

_HANDLE = "VarHandleOp"
_ASSIGN = "AssignVariableOp"
_RESTORE = "RestoreV2"
_HINT = "export it again with model.export('DIRECTORY')"


def share_restored_names(meta_graph: Message, path: Path, unrestored: Sequence[str]) -> int:
    """Rename the handles of variables without a value; return how many there were.

    `unrestored` are their shared names (`SavedModel.unrestored`). Raises ModelError if the object
    graph or the restore function does not tell the values of all.
    """
    handles = {node.name: node for node in meta_graph.graph_def.node if node.op == _HANDLE}
    wanted = [node for node in handles.values() if identity(node)[1].decode() in unrestored]
    keys, assigned = _read_keys(meta_graph, path), dict(_assigned_keys(meta_graph, handles))
    missing = [n.name for n in wanted if keys.get(n.name) not in assigned]
    if missing:
        raise ModelError(
            f"the checkpoint has no value for {', '.join(missing[:3])} that the restore op assigns",
            where=str(path),
            hint=_HINT,
        )
    for node in wanted:
        source = assigned[keys[node.name]]
        if source.attr["dtype"].type != node.attr["dtype"].type:
            raise ModelError(
                f"{node.name} and its value differ in dtype", where=str(path), hint=_HINT
            )
        node.attr["container"].s, node.attr["shared_name"].s = identity(source)
    return len(wanted)


def _read_keys(meta_graph: Message, path: Path) -> dict[str, str]:
    """Return the checkpoint's key of each handle, by the object graph."""
    try:
        checkpoint = message_class("tensorflow.TrackableObjectGraph").FromString(_objects(path))
        return checkpoint_keys(meta_graph, checkpoint)
    except (DecodeError, ObjectGraphError) as error:
        text = f"the object graph is damaged: {error}"
        raise ModelError(text, where=str(path), hint=_HINT) from error


def _objects(path: Path) -> bytes:
    nodes = message_class("tensorflow.GraphDef")()
    restored = add_restore(nodes, "cloudserve/objects", {CHECKPOINT_GRAPH: STRING})
    graph = Graph()
    graph.add(nodes.SerializeToString())
    session = Session(graph, message_class("tensorflow.ConfigProto")().SerializeToString())
    try:
        (objects,) = session.run({restored.prefix: string(path / VARIABLES)}, restored.outputs[:1])
    finally:
        session.close()
    return bytes(objects.item())


def _assigned_keys(
    meta_graph: Message, handles: Mapping[str, Message]
) -> Iterator[tuple[str, Message]]:
    """Yield each key that the restore function assigns, with the handle that it assigns it to."""
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    functions = {one.signature.name: one for one in meta_graph.graph_def.library.function}
    call = nodes.get(meta_graph.saver_def.restore_op_name)
    while call is not None and call.op == "Identity":
        call = nodes.get(call.input[0].partition(":")[0])
    function = functions.get(call.attr["f"].func.name) if call is not None else None
    if call is None or function is None:
        return
    arguments = [one.name for one in function.signature.input_arg]
    passed = dict(zip(arguments, call.input, strict=False))
    for key, argument in _assignments(function):
        handle = handles.get(passed.get(argument, "").partition(":")[0])
        if handle is not None:
            yield key, handle


def _assignments(function: Message) -> Iterator[tuple[str, str]]:
    """Yield the key and the argument of each assignment in a restore function."""
    nodes = {node.name: node for node in function.node_def}
    for node in nodes.values():
        if node.op == _ASSIGN:
            tensor = node.input[1]
            while (source := nodes.get(tensor.partition(":")[0])) and source.op == "Identity":
                tensor = source.input[0]
            if source is not None and source.op == _RESTORE:
                names = nodes[source.input[1].partition(":")[0]].attr["value"].tensor
                number = int(tensor.rpartition(":")[2])
                yield names.string_val[number].decode(), node.input[0]
