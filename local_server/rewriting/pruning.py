"""The removal of nodes that neither signatures nor a loader need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudserve.savedmodel.graph import Graph, node_name, read_graph, source

from ..messages import Message, message_class

VARIABLES = "variables"
TABLE_INITIALIZERS = frozenset(
    {"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"}
    | {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}
)
"""Ops that fill the table that is their first input."""
_TRAIN_OP = "__saved_model_train_op"
_LOADED = ("saved_model_main_op", "legacy_init_op", "saved_model_assets")
"""Collections that a loader of SavedModels reads (tensorflow/cc/saved_model/constants.h)."""


def prune(meta_graph: Message, tensors: Iterable[str]) -> int:
    """Keep the nodes that tensors need, and those that set their tables and variables.

    Return how many nodes were removed.
    """
    graph = read_graph(meta_graph.graph_def)
    kept = {node.name for node in graph.ancestors(tensors)}
    kept |= {node.name for node in graph.ancestors(_table_initializers(graph, kept))}
    variables = meta_graph.collection_def[VARIABLES].bytes_list
    needed = {value: one for value, one in _variables(variables) if _node(one) in kept}
    # Python's `Variable` asks for the nodes of its initial value, and for its own reader.
    initial = [t for one in needed.values() for t in (one.initializer_name, one.snapshot_name)]
    kept |= {node.name for node in graph.ancestors(initial)}
    nodes = [node for node in meta_graph.graph_def.node if node.name in kept]
    removed = len(meta_graph.graph_def.node) - len(nodes)
    pruned = message_class("tensorflow.GraphDef")(node=nodes)
    del meta_graph.graph_def.node[:]
    meta_graph.graph_def.MergeFrom(pruned)
    del variables.value[:]
    variables.value.extend(needed)
    if not needed:
        del meta_graph.collection_def[VARIABLES]
    return removed


def prune_training(meta_graph: Message) -> int:
    """Remove what only training needs from a SavedModel; return how many nodes were removed.

    The variables that its saver restores stay.
    """
    if _TRAIN_OP in meta_graph.signature_def:
        del meta_graph.signature_def[_TRAIN_OP]
    kept = {*_LOADED, VARIABLES}
    for name in [name for name in meta_graph.collection_def if name not in kept]:
        del meta_graph.collection_def[name]
    return prune(meta_graph, list(loaded_tensors(meta_graph)))


def loaded_tensors(meta_graph: Message) -> Iterator[str]:
    """Yield the tensors and ops that a loader or a signature names."""
    for definition in meta_graph.signature_def.values():
        for info in (*definition.inputs.values(), *definition.outputs.values()):
            yield from tensors_of(info)
    for name in _LOADED:
        if name in meta_graph.collection_def:
            yield from meta_graph.collection_def[name].node_list.value
    yield from (asset.tensor_info.name for asset in read_assets(meta_graph))
    saver = meta_graph.saver_def
    yield from (saver.restore_op_name, saver.filename_tensor_name, saver.save_tensor_name)
    # Python's `tf.saved_model.load` reads the values of its constants from the graph.
    yield from (one.constant.operation for one in meta_graph.object_graph_def.nodes)


def read_assets(meta_graph: Message) -> Iterator[Message]:
    """Yield the `AssetFileDef`s of both generations."""
    yield from meta_graph.asset_file_def
    if "saved_model_assets" in meta_graph.collection_def:
        for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
            yield message_class("tensorflow.AssetFileDef").FromString(packed.value)


def tensors_of(info: Message) -> Iterator[str]:
    """Yield the tensors of a `TensorInfo`."""
    if info.HasField("coo_sparse"):
        sparse = info.coo_sparse
        yield sparse.values_tensor_name
        yield sparse.indices_tensor_name
        yield sparse.dense_shape_tensor_name
    elif info.HasField("composite_tensor"):
        for component in info.composite_tensor.components:
            yield from tensors_of(component)
    else:
        yield info.name


def _variables(collected: Message) -> Iterator[tuple[bytes, Message]]:
    definition = message_class("tensorflow.VariableDef")
    return ((value, definition.FromString(value)) for value in collected.value)


def _node(variable: Message) -> str:
    return node_name(variable.variable_name)


def _table_initializers(graph: Graph, kept: set[str]) -> Iterator[str]:
    for node in graph.nodes.values():
        if node.op in TABLE_INITIALIZERS and source(graph.nodes, node.input[0]) in kept:
            yield node.name
