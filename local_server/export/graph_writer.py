"""A graph of TensorFlow 1 as a SavedModel: what its signatures need, with variables and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError
from cloudserve.local.model_export import TensorNames
from cloudserve.savedmodel.graph import Graph, node_name, read_graph

from ..messages import Message, message_class
from ..rewriting.pruning import TABLE_INITIALIZERS, VARIABLES, prune
from .sources.graphs import GraphSession, GraphSource, to_tensorflow

_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderWithDefault"})
_FROM_FILE = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})


def write_graph(
    tf: Any,
    graph_source: GraphSource,
    session: GraphSession,
    signatures: Mapping[str, TensorNames],
    folder: Path,
) -> None:
    """Write the part of a graph that signatures need, as TensorFlow 1 exports it.

    `session` has the graph. A signature's input that the graph computes becomes a placeholder, so
    that input pipelines are left out, as are losses, gradients and the optimizer's variables.
    """
    meta_graph = _copy(graph_source)
    fed = _cut_inputs(meta_graph.graph_def, session, signatures)
    outputs = [tensor for one in signatures.values() for tensor in one.outputs.values()]
    prune(meta_graph, [*outputs, *(t for names in fed.values() for t in names.values())])
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as new_session:
        saver = v1.train.import_meta_graph(to_tensorflow(tf, meta_graph), clear_devices=True)
        initial = [op for op in graph.get_operations() if op.type in TABLE_INITIALIZERS]
        fill_tables = tf.group(*initial) if initial else None
        if saver is not None:
            saver.restore(new_session, graph_source.checkpoint)
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            new_session,
            [v1.saved_model.tag_constants.SERVING],
            {name: _signature(v1, graph, fed[name], one) for name, one in signatures.items()},
            assets_collection=list(_assets(tf, initial, graph_source.path)),
            main_op=fill_tables,
            strip_default_attrs=True,
        )
        builder.save()


def _copy(graph_source: GraphSource) -> Message:
    """Return the meta graph without its saver, which names variables that are pruned."""
    meta_graph = message_class("tensorflow.MetaGraphDef")()
    meta_graph.CopyFrom(graph_source.meta_graph)
    meta_graph.ClearField("saver_def")
    collections = meta_graph.collection_def
    for name in [name for name in collections if name != VARIABLES]:
        del collections[name]
    return meta_graph


def _cut_inputs(
    graph_def: Message, session: GraphSession, signatures: Mapping[str, TensorNames]
) -> dict[str, dict[str, str]]:
    """Replace inputs that are not placeholders by new ones; return the tensors to feed."""
    graph = read_graph(graph_def)
    fed: dict[str, dict[str, str]] = {name: {} for name in signatures}
    new: dict[str, str] = {}
    for name, one in signatures.items():
        for alias, tensor in one.inputs.items():
            key = _normal(tensor)
            if key not in new and _can_be_cut(graph, key, signatures.values()):
                new[key] = _add_placeholder(graph_def, session.spec(alias, tensor))
            fed[name][alias] = new.get(key, key)
    _rewire(graph_def, new)
    return fed


def _can_be_cut(graph: Graph, tensor: str, signatures: Iterable[TensorNames]) -> bool:
    """Return whether no signature needs the value that the graph computes for a tensor."""
    if graph.nodes[node_name(tensor)].op in _PLACEHOLDERS:
        return False
    for one in signatures:
        fed = {node_name(each) for each in one.inputs.values()}
        if node_name(tensor) in {n.name for n in graph.ancestors(one.outputs.values(), fed)}:
            return False
    return True


def _add_placeholder(graph_def: Message, spec: Any) -> str:
    taken = {node.name for node in graph_def.node}
    names = (f"inputs/{spec.name}{n or ''}" for n in range(len(taken) + 1))
    node = graph_def.node.add(name=next(n for n in names if n not in taken), op="Placeholder")
    node.attr["dtype"].type = spec.dtype.as_datatype_enum
    shape = spec.shape.as_proto().SerializeToString()  # of TensorFlow's pool
    node.attr["shape"].shape.MergeFromString(shape)
    return f"{node.name}:0"


def _rewire(graph_def: Message, replaced: Mapping[str, str]) -> None:
    for node in graph_def.node:
        for n, tensor in enumerate(node.input):
            node.input[n] = replaced.get(_normal(tensor), tensor)


def _normal(tensor: str) -> str:
    return tensor if ":" in tensor or tensor.startswith("^") else f"{tensor}:0"


def _signature(v1: Any, graph: Any, fed: Mapping[str, str], names: TensorNames) -> Any:
    def infos(tensors: Mapping[str, str]) -> dict[str, Any]:
        return {
            alias: v1.saved_model.utils.build_tensor_info(graph.get_tensor_by_name(_normal(tensor)))
            for alias, tensor in tensors.items()
        }

    return v1.saved_model.signature_def_utils.build_signature_def(
        infos(fed), infos(names.outputs), "tensorflow/serving/predict"
    )


def _assets(tf: Any, initial: list[Any], path: Path) -> Iterator[Any]:
    """Yield the tensors of the file names that tables are filled from."""
    for op in initial:
        if op.type in _FROM_FILE:
            file = tf.get_static_value(op.inputs[1])
            name = file.item().decode("utf-8", "replace") if file is not None else ""
            if not Path(name).is_file():
                raise ModelError(
                    f"a table is filled from {name or 'a file'}, which does not exist",
                    where=str(path),
                    hint="put the file there and export again: its copy will be in assets/",
                )
            yield op.inputs[1]
