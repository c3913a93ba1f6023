"""A SavedModel restored into a Session, on one device if asked.

TensorFlow places a graph by the devices written at its nodes. A replica's are written there before
the import, at every node of the graph and of its functions: `with tf.device(...)` around the import
reaches the graph alone, so that tables that a function makes ended up apart from their users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudserve.savedmodel.signature import Signature, read_signature

from ..status import Code
from .denied_ops import check_ops
from .devices import Device, is_on_cpu
from .errors import load_error
from .memory import close_session
from .op_libraries import OpSource
from .steady import steady_signatures
from .types import LoadError, Tensor


@dataclass(frozen=True, slots=True)
class Restored:
    """A session that holds a model's variables."""

    session: Any
    """None where the restore did not set them all: it is closed then, and gone."""
    signatures: Mapping[str, Signature]
    defaults: Mapping[str, Mapping[str, Tensor]]
    """By signature and input: what is fed where a request gives nothing."""
    definitions: Mapping[str, Any]
    """By signature: its `SignatureDef`, as it stands in the model's file."""
    steady: frozenset[str] = frozenset()
    """The signatures whose cost the sizes of their inputs bound."""
    unset: tuple[str, ...] = ()
    """Variables that the signatures read and the restore did not write: `tf.saved_model.save` of a
    Keras 3 model names them apart ("Could not find variable")."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is restored, and what is not."""

    ops: OpSource = field(default_factory=OpSource)
    denied_ops: frozenset[str] = frozenset()


def restore(
    tf: Any,
    path: Path,
    tags: Sequence[str],
    config: Any,
    device: Device | None = None,
    rules: Rules = Rules(),
) -> Restored:
    """Restore a SavedModel in a session of its own, everything on `device` if one is given.

    For a prebuilt image the session is kept where variables have no value, as TensorFlow Serving
    keeps it: the requests that read them fail. Raises LoadError; for a model with a denied op
    before anything of it runs.
    """
    loader = _open(tf, path)
    meta_graph = _find_meta_graph(loader, path, tags)
    check_ops(meta_graph.graph_def, rules.denied_ops, path)
    rules.ops.provide(tf, meta_graph.graph_def, path)
    if device is not None:
        _pin(meta_graph.graph_def, device)
    # Copies: a part of a message keeps the whole of it in memory, and with it the graph.
    definitions = {name: deepcopy(one) for name, one in meta_graph.signature_def.items()}
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    try:
        saver, _ = loader.load_graph(session.graph, tags)
        loader.restore_variables(session, saver)
        loader.run_init_ops(session, tags)
        signatures = {n: read_signature(n, definitions[n]) for n in sorted(definitions)}
        defaults = {n: _read_defaults(tf, definitions[n]) for n in definitions}
        unset = [] if rules.ops.image else _unset_variables(tf, session, signatures)
    # TensorFlow's loader raises OpError, OSError, RuntimeError, ValueError, and more.
    except Exception as error:
        # The text of TensorFlow's errors names ops, which are gone once the graph is taken apart.
        failure = load_error(error, path)
        close_session(session)
        raise failure from error
    if unset:
        close_session(session)
        return Restored(None, signatures, defaults, definitions, unset=tuple(unset))
    steady = steady_signatures(meta_graph.graph_def, signatures)
    return Restored(session, signatures, defaults, definitions, steady)


def _open(tf: Any, path: Path) -> Any:
    """Return what `tf.compat.v1.saved_model.load` loads with, which takes no graph to change."""
    if not tf.saved_model.contains_saved_model(str(path)):
        raise _no_model(path)
    from tensorflow.python.saved_model.loader_impl import SavedModelLoader

    try:
        return SavedModelLoader(str(path))
    except OSError as error:
        # TensorFlow Serving's words (tsl/platform/env.cc, `ReadBinaryProto`).
        message = f"Can't parse {path / 'saved_model.pb'} as binary proto"
        raise LoadError(Code.DATA_LOSS, message, where=str(path)) from error
    except tf.errors.OpError as error:
        raise load_error(error, path) from error


def _find_meta_graph(loader: Any, path: Path, tags: Sequence[str]) -> Any:
    try:
        return loader.get_meta_graph_def_from_tags(tags)
    except RuntimeError as error:
        message = (
            f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To "
            "inspect available tag-sets in the SavedModel, please use the SavedModel CLI: "
            "`saved_model_cli`"
        )
        raise LoadError(Code.NOT_FOUND, message, where=str(path)) from error


def _pin(graph: Any, device: Device) -> None:
    """Write a device at every node; what a model puts on the CPU stays there beside a GPU."""
    for node in _nodes(graph):
        if device.kind == "CPU" or not is_on_cpu(node.device):
            node.device = device.name


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _read_defaults(tf: Any, definition: Any) -> dict[str, Tensor]:
    return {alias: tf.make_ndarray(proto) for alias, proto in definition.defaults.items()}


def _unset_variables(tf: Any, session: Any, signatures: Mapping[str, Signature]) -> list[str]:
    wanted = [spec.tensor_name for s in signatures.values() for spec in s.outputs]
    handles = [op for op in _ancestors(session.graph, wanted) if op.type == "VarHandleOp"]
    with session.graph.as_default():
        checks = [tf.raw_ops.VarIsInitializedOp(resource=op.outputs[0]) for op in handles]
    is_set = session.run(checks) if checks else []
    return sorted(op.name for op, ok in zip(handles, is_set, strict=True) if not ok)


def _ancestors(graph: Any, tensor_names: Sequence[str]) -> list[Any]:
    """Return the ops that these tensors are computed from; names not in the graph are left out."""
    ops = {op.name: op for op in graph.get_operations()}
    found: dict[str, Any] = {}
    pending = [ops[op] for name in tensor_names if (op := name.partition(":")[0]) in ops]
    while pending:
        op = pending.pop()
        if op.name not in found:
            found[op.name] = op
            pending.extend(tensor.op for tensor in op.inputs)
    return list(found.values())


def _no_model(path: Path) -> LoadError:
    """Return TensorFlow Serving's words (tensorflow/cc/saved_model/reader.cc)."""
    message = (
        "Specified file path does not appear to contain a SavedModel bundle (should have a file "
        f"called `saved_model.pb`)\nSpecified file path: {path}"
    )
    return LoadError(Code.NOT_FOUND, message, where=str(path))
