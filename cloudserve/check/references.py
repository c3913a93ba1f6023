"""Rules on names in the graph: of nodes and functions that must exist, and be unique."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.subject import Rule, Subject
from cloudserve.savedmodel.checks.kernel_ops import called_nodes
from cloudserve.savedmodel.checks.op_table import read_table
from cloudserve.savedmodel.checks.roots import initial_tensors, served_nodes, tensor_names
from cloudserve.savedmodel.graph import node_name
from cloudserve.savedmodel.proto import Message
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES

_AGAIN = "copy or export the model again"
_COLOCATION = "_class"
_COLOCATED = b"loc:@"


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
    for node, name in _absent_groups(subject.graph.nodes.values()):
        yield _missing(
            f"the node {node} is to be on the device of {name}, which the graph does not have",
            "TensorFlow does not load the graph",
        )
    for function, name in _absent_results(subject):
        yield _missing(
            f"the function {function} returns {name}, which it does not have",
            "the load, or every request that calls the function, fails",
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


def _absent_groups(nodes: Iterable[Message]) -> Iterator[tuple[str, str]]:
    """Yield the nodes that are colocated with an unknown node (`ValidateColocationConstraints`)."""
    names = {node.name: node for node in nodes}
    for node in names.values():
        groups = node.attr[_COLOCATION].list.s if _COLOCATION in node.attr else ()
        for group in groups:
            name = group.removeprefix(_COLOCATED).decode("utf-8", "replace")
            if group.startswith(_COLOCATED) and name not in names:
                yield node.name, name


def _absent_results(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield the results that called functions name and do not compute, or do not name at all."""
    for scope in subject.scopes:
        if scope.function is None:
            continue
        name = scope.function.signature.name
        known = {*scope.nodes, *scope.arguments}
        for result in scope.function.signature.output_arg:
            tensor = scope.function.ret.get(result.name, "")
            if node_name(tensor) not in known:
                yield name, tensor or result.name


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
    """Find nodes that share a name, and functions that share one with a function or an op.

    Functions that are equal may share it (`FunctionDefLibrary::AddFunctionDef`).
    """
    graph = subject.meta_graph.graph_def
    for name, count in Counter(node.name for node in graph.node).items():
        if count > 1:
            yield _duplicate(f"{count} nodes of the graph have the name {name}")
    first: dict[str, Message] = {}
    ops = read_table().versions[list(read_table().versions)[-1]]
    for function in graph.library.function:
        name = function.signature.name
        if name in ops:
            yield _duplicate(f"the function {name} has the name of an op of TensorFlow")
        if first.setdefault(name, function) != function:
            yield _duplicate(f"two functions of the graph have the name {name}")


def _duplicate(text: str) -> Finding:
    why = "TensorFlow does not load the graph"
    return Finding("duplicate-node", Severity.ERROR, text, why, _AGAIN)


RULES: tuple[Rule, ...] = (missing_node, duplicate_node)
