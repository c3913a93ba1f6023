"""The nodes that a loader and the signatures run first, of which all others are ancestors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudserve.savedmodel.graph import Graph, node_name
from cloudserve.savedmodel.proto import Message
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES

_INIT_OP = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")


def initial_tensors(meta_graph: Message, *, has_variables: bool) -> Iterator[str]:
    """Yield the ops that a loader runs, in the order of `GetInitOp` (loader_util.cc)."""
    if has_variables:
        yield meta_graph.saver_def.restore_op_name
    if _INIT_OP in meta_graph.signature_def:
        yield from _outputs(meta_graph.signature_def[_INIT_OP])
        return
    for name in _INIT_COLLECTIONS:
        if name in meta_graph.collection_def:
            yield from meta_graph.collection_def[name].node_list.value
            return


def served_nodes(meta_graph: Message, graph: Graph) -> Iterable[Message]:
    """Return the nodes that any signature runs."""
    definitions = meta_graph.signature_def
    nodes: dict[str, Message] = {}
    for name in definitions:
        if name not in HIDDEN_SIGNATURES:
            one = definitions[name]
            nodes |= {n.name: n for n in graph.ancestors(_outputs(one), _fed(one))}
    return nodes.values()


def _outputs(definition: Message) -> Iterator[str]:
    return tensor_names(definition.outputs.values())


def _fed(definition: Message) -> frozenset[str]:
    return frozenset(map(node_name, tensor_names(definition.inputs.values())))


def tensor_names(infos: Iterable[Message]) -> Iterator[str]:
    """Yield the graph's tensors of a signature's inputs or outputs, those of sparse ones too."""
    for info in infos:
        if info.HasField("coo_sparse"):
            sparse = info.coo_sparse
            yield sparse.values_tensor_name
            yield sparse.indices_tensor_name
            yield sparse.dense_shape_tensor_name
        elif info.HasField("composite_tensor"):
            yield from tensor_names(info.composite_tensor.components)
        else:
            yield info.name
