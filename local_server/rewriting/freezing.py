"""The variables of a SavedModel as constants of its graph."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError
from cloudserve.savedmodel.graph import node_name, read_graph

from ..messages import Message, message_class
from ..runtime.tensorflow import import_tensorflow
from .asset_paths import read_paths_directly
from .gathers import gather_from_values
from .pruning import VARIABLES, loaded_tensors, prune_training

_WRITES = re.compile(
    r"Assign\w*|Scatter(Add|Div|Max|Min|Mul|Nd\w+|Sub|Update)|Resource(Apply|Sca)\w*"
    r"|Rng\w+|Stateful(Random|Standard|Truncated|Uniform)\w*"  # the state of a generator
)
_VARIABLES = frozenset({"VarHandleOp", "Variable", "VariableV2"})
_FILLS_TABLE = frozenset({"LookupTableImport", "LookupTableImportV2"})


def freeze(meta_graph: Message, folder: Path, where: Path) -> int:
    """Make the variables of a MetaGraph constants; return how many there were.

    `folder` has the SavedModel, which is loaded to read them; errors name `where`. Raises
    ModelError for a model that changes its variables, and if TensorFlow refuses.
    """
    tf = import_tensorflow("making variables constants")
    _check_tables(meta_graph, where)
    meta_graph.ClearField("saver_def")
    meta_graph.ClearField("object_graph_def")
    if VARIABLES in meta_graph.collection_def:
        del meta_graph.collection_def[VARIABLES]  # it would keep the nodes of initial values
    read_paths_directly(meta_graph)
    prune_training(meta_graph)
    ops = read_graph(meta_graph.graph_def).loaded_ops()
    if written := sorted(op for op in ops if _WRITES.fullmatch(op)):
        raise ModelError(
            f"the model changes variables when it loads or answers ({', '.join(written)})",
            where=str(where),
            hint="leave --freeze out",
        )
    count = sum(node.op in _VARIABLES for node in meta_graph.graph_def.node)
    if not count:
        return 0
    gather_from_values(meta_graph.graph_def)
    try:
        frozen = _constants(tf, meta_graph, folder)
    except Exception as error:  # TensorFlow raises whatever the graph provokes
        raise ModelError(
            f"TensorFlow cannot make the variables constants: {error}",
            where=str(where),
            hint="leave --freeze out",
        ) from error
    meta_graph.graph_def.Clear()
    meta_graph.graph_def.MergeFromString(frozen)
    _remove_uncalled(meta_graph.graph_def)
    return count


def _check_tables(meta_graph: Message, where: Path) -> None:
    """Raise ModelError if the restore op fills a table, whose content would be lost."""
    graph = read_graph(meta_graph.graph_def)
    restored = graph.ancestors([meta_graph.saver_def.restore_op_name])
    if not _FILLS_TABLE.isdisjoint(graph.ops_of(restored)):
        raise ModelError(
            "the content of a table is restored with the variables, and no constant has it",
            where=str(where),
            hint="leave --freeze out",
        )


def _remove_uncalled(graph_def: Message) -> None:
    """Remove the functions that no node calls any more: those that take variables."""
    graph = read_graph(graph_def)
    called: set[str] = set()
    pending = list(graph.nodes.values())
    while pending:
        new = set(graph.called(pending.pop())) - called
        called |= new
        pending.extend(node for name in new for node in graph.functions[name].node_def)
    kept = [one for one in graph_def.library.function if one.signature.name in called]
    library = message_class("tensorflow.FunctionDefLibrary")(function=kept)
    graph_def.library.CopyFrom(library)


def _constants(tf: Any, meta_graph: Message, folder: Path) -> bytes:
    v1 = tf.compat.v1
    names = sorted({node_name(tensor) for tensor in loaded_tensors(meta_graph) if tensor})
    graph_def = v1.GraphDef.FromString(meta_graph.graph_def.SerializeToString())
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, list(meta_graph.meta_info_def.tags), str(folder))
        frozen = v1.graph_util.convert_variables_to_constants(session, graph_def, names)
    serialized: bytes = frozen.SerializeToString()
    return serialized
