"""A SavedModel restored into a session, on one device if asked.

TensorFlow places a graph by the devices written at its nodes. A replica's are written there before
the import, at every node of the graph and of its functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.savedmodel.signature import Signature, read_signature

from ...codecs.tensor_proto import TensorProtoError, from_tensor_proto
from ...messages import Message
from ...status import Code
from ..capi.graph import Graph
from ..capi.session import Session
from ..capi.status import OpError
from ..devices import Device, is_on_cpu
from ..errors import load_error
from ..types import LoadError, Tensor
from .denied_ops import check_ops
from .op_libraries import OpSource
from .saved_model import asset_feeds, init_op, nodes, read_meta_graph
from .steady import steady_signatures
from .variables import Variables, restore_variables


@dataclass(frozen=True, slots=True)
class Restored:
    """A session that holds a model's variables."""

    session: Session | None
    """None where variables have no value; see `unset`."""
    signatures: Mapping[str, Signature]
    defaults: Mapping[str, Mapping[str, Tensor]]
    """By signature and input: what is fed where a request gives nothing."""
    definitions: Mapping[str, Message]
    """By signature: its `SignatureDef`, as it is in the model's file."""
    steady: frozenset[str] = frozenset()
    """The signatures whose cost the sizes of their inputs bound."""
    stateless: frozenset[str] = frozenset()
    """The steady signatures that change no variable."""
    unset: tuple[str, ...] = ()
    """Variables that the signatures read and that neither the restore op nor the object graph gives
    a value."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is restored, and what is not."""

    ops: OpSource = field(default_factory=OpSource)
    denied_ops: frozenset[str] = frozenset()


def restore(
    path: Path,
    tags: Sequence[str],
    config: Message,
    device: Device | None = None,
    rules: Rules = Rules(),
) -> Restored:
    """Restore a SavedModel in a session of its own, everything on `device` if one is given.

    Variables that the restore op leaves unset get their values by the object graph. For a prebuilt
    image they stay unset, as TensorFlow Serving leaves them: the requests that read them fail.
    Raises LoadError; for a model with a denied op before anything of it runs.
    """
    meta_graph = read_meta_graph(path, tags)
    check_ops(meta_graph.graph_def, rules.denied_ops, path)
    rules.ops.provide(meta_graph, path)
    if device is not None:
        pin(meta_graph.graph_def, device)
    # Copies: a part of a message keeps the whole of it in memory, and with it the graph.
    definitions = {name: deepcopy(one) for name, one in meta_graph.signature_def.items()}
    signatures = {name: read_signature(name, definitions[name]) for name in sorted(definitions)}
    defaults = {name: _read_defaults(one, path) for name, one in definitions.items()}
    try:
        graph = Graph()
        graph.add(meta_graph.graph_def.SerializeToString())
        session = Session(graph, config.SerializeToString())
        variables = Variables(
            session, meta_graph.graph_def, signatures.values(), device.name if device else ""
        )
        unset = _initialize(session, variables, meta_graph, path, by_objects=not rules.ops.image)
    except OpError as error:
        raise load_error(error, path) from error
    if unset:
        return Restored(None, signatures, defaults, definitions, unset=tuple(unset))
    steady, stateless = steady_signatures(meta_graph.graph_def, signatures)
    return Restored(session, signatures, defaults, definitions, steady, stateless)


def pin(graph_def: Message, device: Device) -> None:
    """Write a device at every node; what a model puts on the CPU stays there beside a GPU."""
    for node in nodes(graph_def):
        if device.kind == "CPU" or not is_on_cpu(node.device):
            node.device = device.name


def _initialize(
    session: Session, variables: Variables, meta_graph: Message, path: Path, *, by_objects: bool
) -> list[str]:
    """Restore, and run the init op; return the variables that have no value, of those asked for.

    What the object graph has comes before the init op, which may read it.
    """
    feeds = asset_feeds(meta_graph, path)
    restore_variables(session, meta_graph, path, feeds)
    unset = variables.unset() if by_objects else []
    if unset and meta_graph.HasField("object_graph_def"):
        variables.assign_by_objects(unset, meta_graph, path)
    if node := init_op(meta_graph):
        session.run(feeds, targets=[node])
    if not unset:
        return []
    variables.destroy_unread()
    return variables.unset()


def _read_defaults(definition: Message, path: Path) -> dict[str, Tensor]:
    """Return the default inputs of a signature. Raises LoadError for an invalid one."""
    try:
        return {alias: from_tensor_proto(proto) for alias, proto in definition.defaults.items()}
    except TensorProtoError as error:
        text = f"a default of a signature is not a tensor: {error}"
        raise LoadError(Code.INVALID_ARGUMENT, text, where=str(path)) from error
