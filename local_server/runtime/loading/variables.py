"""Variables of a session: restored by the SavedModel's op, and those that it leaves unset.

Nodes are added to the graph beside the model's own, to ask for variables and to assign them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from cloudserve.savedmodel.graph import read_graph
from cloudserve.savedmodel.signature import Signature

from ...messages import Message, message_class
from ...status import Code
from ..capi.session import Session
from ..dtypes import STRING
from ..types import LoadError, Tensor
from .object_graph import CHECKPOINT_GRAPH, ObjectGraphError, checkpoint_keys
from .saved_model import VARIABLES, string

_HANDLE = "VarHandleOp"
_OURS = "cloudserve"
"""What the names of the added nodes begin with."""


def restore_variables(
    session: Session, meta_graph: Message, path: Path, feeds: Mapping[str, Tensor]
) -> None:
    """Run the restore op of a SavedModel that has one. Raises OpError, and LoadError for no file.

    `feeds` are the files of its assets.
    """
    if not meta_graph.HasField("saver_def"):
        return
    index = path / f"{VARIABLES}.index"
    if not index.is_file():
        text = f"{index}; No such file or directory"
        raise LoadError(Code.NOT_FOUND, text, where=str(path))
    saver = meta_graph.saver_def
    files = {saver.filename_tensor_name: string(path / VARIABLES)}
    session.run({**feeds, **files}, targets=[saver.restore_op_name])


class Variables:
    """The variables of a session that signatures read, by the nodes of their handles."""

    def __init__(
        self,
        session: Session,
        graph_def: Message,
        signatures: Iterable[Signature],
        device: str = "",
    ) -> None:
        """Find them; nodes that are added stand on `device`, if it is named."""
        graph = read_graph(graph_def)
        outputs = [spec.tensor_name for one in signatures for spec in one.outputs]
        read = [node for node in graph.ancestors(outputs) if node.op == _HANDLE]
        self._all = [node for node in graph.nodes.values() if node.op == _HANDLE]
        self._read = {str(node.name): node for node in read}
        self._session = session
        self._versions = graph_def.versions
        self._device = device
        self._asks: list[str] = []

    def unset(self) -> list[str]:
        """Return those that have no value, sorted."""
        if not self._asks:
            nodes = message_class("tensorflow.GraphDef")()
            for number, name in enumerate(self._read):
                self._asks.append(f"{_OURS}/is_set_{number}")
                nodes.node.add(name=self._asks[-1], op="VarIsInitializedOp", input=[name])
            self._add(nodes, self._read)
        answers = self._session.run(fetches=[f"{name}:0" for name in self._asks])
        pairs = zip(self._read, answers, strict=True)
        return sorted(name for name, is_set in pairs if not is_set)

    def assign_by_objects(self, names: Sequence[str], meta_graph: Message, path: Path) -> None:
        """Give these variables the values that the object graphs find in the checkpoint.

        Those that are not found stay unset. Raises OpError, and LoadError for damaged graphs.
        """
        prefix = string(path / VARIABLES)
        nodes = message_class("tensorflow.GraphDef")()
        restored = add_restore(nodes, f"{_OURS}/objects", {CHECKPOINT_GRAPH: STRING})
        self._add(nodes)
        (objects,) = self._session.run({restored.prefix: prefix}, [restored.outputs[0]])
        try:
            checkpoint = message_class("tensorflow.TrackableObjectGraph").FromString(objects.item())
            keys = checkpoint_keys(meta_graph, checkpoint)
        except (DecodeError, ObjectGraphError) as error:
            text = f"the object graph is damaged: {error}"
            raise LoadError(Code.DATA_LOSS, text, where=str(path)) from error
        if stored := {name: keys[name] for name in names if name in keys}:
            self._assign(stored, prefix)

    def destroy_unread(self) -> None:
        """Free the variables that no signature reads: copies that the restore op has set."""
        read = {identity(node) for node in self._read.values()}
        unread = [str(node.name) for node in self._all if identity(node) not in read]
        nodes = message_class("tensorflow.GraphDef")()
        targets = [f"{_OURS}/destroy_{number}" for number, _ in enumerate(unread)]
        for name, handle in zip(targets, unread, strict=True):
            node = nodes.node.add(name=name, op="DestroyResourceOp", input=[handle])
            node.attr["ignore_lookup_error"].b = True
        self._add(nodes, unread)
        self._session.run(targets=targets)

    def _assign(self, keys: Mapping[str, str], prefix: Tensor) -> None:
        nodes = message_class("tensorflow.GraphDef")()
        types = {key: int(self._read[name].attr["dtype"].type) for name, key in keys.items()}
        restored = add_restore(nodes, f"{_OURS}/values", types)
        values = dict(zip(types, restored.outputs, strict=True))
        targets = [f"{_OURS}/assign_{number}" for number, _ in enumerate(keys)]
        for target, (name, key) in zip(targets, keys.items(), strict=True):
            node = nodes.node.add(name=target, op="AssignVariableOp", input=[name, values[key]])
            node.attr["dtype"].type = types[key]
        self._add(nodes, keys)
        self._session.run({restored.prefix: prefix}, targets=targets)

    def _add(self, graph_def: Message, handles: Iterable[str] = ()) -> None:
        """Add nodes to the graph, of which some take handles of the model by their names."""
        graph_def.versions.CopyFrom(self._versions)
        for node in graph_def.node:
            node.device = self._device
        graph = self._session.graph
        known = {name: graph.find(name) for name in handles}
        graph.add(graph_def.SerializeToString(), known)


@dataclass(frozen=True, slots=True)
class Restore:
    """A `RestoreV2` node: the tensor that the prefix of the checkpoint is fed to, its outputs."""

    prefix: str
    outputs: tuple[str, ...]


def add_restore(graph_def: Message, name: str, types: Mapping[str, int]) -> Restore:
    """Add a node that reads entries of a checkpoint, by their keys."""
    prefix = graph_def.node.add(name=f"{name}/prefix", op="Placeholder")
    prefix.attr["dtype"].type = STRING
    names = _add_strings(graph_def, f"{name}/names", list(types))
    slices = _add_strings(graph_def, f"{name}/slices", [""] * len(types))
    node = graph_def.node.add(name=name, op="RestoreV2", input=[prefix.name, names, slices])
    node.attr["dtypes"].list.type.extend(types.values())
    return Restore(f"{prefix.name}:0", tuple(f"{name}:{n}" for n, _ in enumerate(types)))


def _add_strings(graph_def: Message, name: str, values: Sequence[str]) -> str:
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = STRING
    tensor = node.attr["value"].tensor
    tensor.dtype = STRING
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.string_val.extend(value.encode() for value in values)
    return name


def identity(handle: Message) -> tuple[bytes, bytes]:
    """Return what a session finds a variable by: two nodes may be handles of one."""
    shared = handle.attr["shared_name"].s if "shared_name" in handle.attr else b""
    container = handle.attr["container"].s if "container" in handle.attr else b""
    return container, shared or handle.name.encode()
