"""Rules on names in the graph: of nodes, functions and stored values that must exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.subject import Rule, Subject
from cloudserve.savedmodel.checkpoint.variables import tensor_names as stored_names
from cloudserve.savedmodel.checks.kernel_ops import called_nodes, needed_nodes
from cloudserve.savedmodel.checks.roots import initial_tensors, served_nodes, tensor_names
from cloudserve.savedmodel.graph import node_name, source
from cloudserve.savedmodel.proto import Message
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES

_AGAIN = "copy or export the model again"
_RESTORES = frozenset({"RestoreV2"})
_KEYS = 1
"""The input of such an op that has the keys; a damaged graph may lack it."""


def missing_node(subject: Subject) -> Iterator[Finding]:
    """Find names of nodes and functions that the graph does not have."""
    graph = subject.graph
    functions = ({n.name: n for n in one.node_def} for one in graph.functions.values())
    arguments = ({a.name for a in one.signature.input_arg} for one in graph.functions.values())
    scopes = [(graph.nodes, set[str]()), *zip(functions, arguments, strict=True)]
    for reader, name in chain.from_iterable(_absent_inputs(*one) for one in scopes):
        yield _missing(
            f"the node {reader} reads {name}, which the graph does not have",
            "TensorFlow does not load the graph",
        )
        return  # a graph that was cut has one for each of its nodes
    for name in _loaded(subject):
        if node_name(name) not in graph.nodes:
            yield _missing(
                f"the load runs {name}, which the graph does not have",
                "TensorFlow Serving refuses to load the model",
            )
    for node, function in _absent_functions(subject):
        yield _missing(
            f"the node {node} calls the function {function}, which the graph does not have",
            "every request that calls it fails",
        )
    yield from _signatures(subject)


def _missing(text: str, why: str, signature: str = "") -> Finding:
    return Finding("missing-node", Severity.ERROR, text, why, _AGAIN, signature)


def _absent_inputs(nodes: Mapping[str, Message], arguments: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the nodes that read something other than a node or an argument, with its name."""
    for node in nodes.values():
        for tensor in node.input:
            name = node_name(tensor)
            if name not in nodes and name not in arguments:
                yield node.name, name


def _loaded(subject: Subject) -> Iterator[str]:
    """Yield the names that the loader runs and feeds."""
    has_variables = subject.model.has_variables
    if has_variables:
        yield subject.meta_graph.saver_def.filename_tensor_name
    yield from initial_tensors(subject.meta_graph, has_variables=has_variables)


def run_nodes(subject: Subject) -> tuple[Message, ...]:
    """Return the nodes that a load and the signatures run, those of functions too."""
    graph, meta_graph = subject.graph, subject.meta_graph
    roots = initial_tensors(meta_graph, has_variables=subject.model.has_variables)
    nodes = (*graph.ancestors(roots), *served_nodes(meta_graph, graph))
    return (*nodes, *called_nodes(graph, nodes))


def _absent_functions(subject: Subject) -> Iterator[tuple[str, str]]:
    functions = subject.graph.functions
    for node in run_nodes(subject):
        for value in node.attr.values():
            for name in (value.func.name, *(one.name for one in value.list.func)):
                if name and name not in functions:
                    yield node.name, name


def _signatures(subject: Subject) -> Iterator[Finding]:
    definitions = subject.meta_graph.signature_def
    for name in sorted(set(definitions) - HIDDEN_SIGNATURES):
        sides = (definitions[name].inputs, definitions[name].outputs)
        tensors = chain.from_iterable(tensor_names(side.values()) for side in sides)
        for tensor in tensors:
            if node_name(tensor) not in subject.graph.nodes:
                yield _missing(
                    f"its tensor {tensor} is not in the graph",
                    "TensorFlow Serving refuses every request for it",
                    name,
                )


def duplicate_node(subject: Subject) -> Iterator[Finding]:
    """Find nodes that share a name."""
    counts = Counter(node.name for node in subject.meta_graph.graph_def.node)
    for name, count in counts.items():
        if count > 1:
            yield Finding(
                "duplicate-node",
                Severity.ERROR,
                f"{count} nodes of the graph have the name {name}",
                "TensorFlow does not load the graph",
                _AGAIN,
            )


def missing_value(subject: Subject) -> Iterator[Finding]:
    """Find values that the restore op reads and the variables' files do not have."""
    if not subject.model.has_variables:
        return
    stored = stored_names(subject.model.path)
    for key in dict.fromkeys(_restored(subject)):
        if key not in stored:
            yield Finding(
                "missing-value",
                Severity.ERROR,
                f"the restore op reads {key}, which variables/ does not have",
                "the load fails with `Key … not found in checkpoint`: the graph and the variables "
                "are from different exports",
                _AGAIN,
            )


def _restored(subject: Subject) -> Iterator[str]:
    """Yield the keys of the checkpoint that the restore op reads."""
    graph = subject.graph
    nodes = tuple(graph.ancestors([subject.meta_graph.saver_def.restore_op_name]))
    yield from _keys(nodes, graph.nodes)
    for name in dict.fromkeys(chain.from_iterable(map(graph.called, nodes))):
        inner = {node.name: node for node in graph.functions[name].node_def}
        yield from _keys(needed_nodes(graph.functions[name]), inner)


def _keys(nodes: Iterable[Message], scope: Mapping[str, Message]) -> Iterator[str]:
    for node in nodes:
        if node.op in _RESTORES and len(node.input) > _KEYS:
            constant = scope.get(source(scope, node.input[_KEYS]))
            if constant is not None and constant.op == "Const":
                for key in constant.attr["value"].tensor.string_val:
                    yield key.decode("utf-8", "replace")


RULES: tuple[Rule, ...] = (missing_node, duplicate_node, missing_value)
