"""Rules on the graph: ops that touch files, ops that are not TensorFlow's, unset variables."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.subject import Rule, Subject
from cloudserve.savedmodel.checks.op_packages import foreign_ops, package_of
from cloudserve.savedmodel.checks.servable import variables_text
from cloudserve.savedmodel.graph import node_name, source
from cloudserve.savedmodel.proto import Message

_DENIED = {
    "PrintV2": "it writes to the server's log at every request",
    "ReadFile": "a model from elsewhere can read the server's files and answer with them",
    "WriteFile": "a model from elsewhere can write the server's files",
}
"""The ops that `saved_model_cli scan` denies by default (saved_model_cli.py, `_OP_DENYLIST`)."""

_BACK_EDGES = frozenset({"NextIteration", "RefNextIteration"})
"""Ops that close a loop of TensorFlow 1 (tensorflow/core/graph/algorithm.cc)."""

FILE_NAMES = {
    "FixedLengthRecordDatasetV2": 0,
    "InitializeTableFromTextFile": 1,
    "InitializeTableFromTextFileV2": 1,
    "MatchingFiles": 0,
    "ReadFile": 0,
    "TFRecordDataset": 0,
    "TFRecordDatasetV2": 0,
    "TextLineDataset": 0,
    "WriteFile": 0,
}
"""Ops that open a file, and the position of the input that names it."""


def unrestored_variables(subject: Subject) -> Iterator[Finding]:
    """Find variables that signatures read and the restore op leaves without a value."""
    if names := subject.model.unrestored:
        yield Finding(
            "unrestored-variables",
            Severity.ERROR,
            f"the restore op leaves {variables_text(names)} without a value",
            "TensorFlow Serving loads the model, and every request that reads one fails with "
            f"`Could not find variable {names[0]}`; tf.saved_model.load in Python restores them",
            "export it again with model.export('DIRECTORY'), or copy it with `cloudserve repair`",
        )


def foreign_op(subject: Subject) -> Iterator[Finding]:
    """Find ops that are not TensorFlow's own."""
    for op in foreign_ops(subject.model.loaded_ops):
        package = package_of(op)
        first = package.built_in_from if package else None
        whose = f" of {package.project}" if package else ""
        yield Finding(
            "foreign-op",
            Severity.WARNING if first else Severity.ERROR,
            f"the op {op}{whose} is not TensorFlow's own",
            f"TensorFlow Serving has it from {first[0]}.{first[1]} on; Python needs the package"
            if first
            else "no prebuilt image of a platform has it: the model does not load",
            f"install {package.project} where Python loads the model"
            if first and package
            else "serve it from an image of your own that has the op (`cloudserve image`)",
        )


def cyclic_graph(subject: Subject) -> Iterator[Finding]:
    """Find nodes that read their own results, outside of loops."""
    graph = subject.graph
    functions = ({n.name: n for n in one.node_def} for one in graph.functions.values())
    names = next(filter(None, map(_in_cycle, (graph.nodes, *functions))), ())
    if names:
        yield Finding(
            "cyclic-graph",
            Severity.ERROR,
            f"the graph has a cycle through {', '.join(sorted(names)[:3])}",
            "TensorFlow does not load a graph that it cannot sort",
            "copy or export the model again",
        )


def _in_cycle(nodes: Mapping[str, Message]) -> set[str]:
    """Return the nodes that have no place in an order; the back edges of a loop have none."""
    waiting = {
        name: {node_name(tensor) for tensor in node.input} & nodes.keys()
        for name, node in nodes.items()
    }
    readers: dict[str, list[str]] = {}
    for name, read in waiting.items():
        read -= {each for each in read if nodes[each].op in _BACK_EDGES}
        for each in read:
            readers.setdefault(each, []).append(name)
    ready = [name for name, read in waiting.items() if not read]
    while ready:
        done = ready.pop()
        del waiting[done]
        for name in readers.get(done, ()):
            waiting[name].discard(done)
            if not waiting[name]:
                ready.append(name)
    return set(waiting)


def denied_op(subject: Subject) -> Iterator[Finding]:
    """Find the ops that `saved_model_cli scan` denies."""
    for op in sorted(_DENIED.keys() & set(subject.model.loaded_ops)):
        yield Finding(
            "denied-op",
            Severity.WARNING,
            f"the graph has the op {op}",
            _DENIED[op],
            "remove it from the exported function, or make sure that you trust the model",
        )


def absolute_path(subject: Subject) -> Iterator[Finding]:
    """Find files outside the SavedModel that the graph opens by an absolute path."""
    for path in sorted(_opened_paths(subject)):
        yield Finding(
            "absolute-path",
            Severity.ERROR,
            f"the graph opens the file {path}, which is not part of the SavedModel",
            "a server on another machine does not have the file: the load or the request fails",
            "track the file with tf.saved_model.Asset(PATH), which copies it below assets/",
        )


def _opened_paths(subject: Subject) -> set[str]:
    paths = set(_constants(subject.graph.nodes, subject.asset_nodes))
    for function in subject.graph.functions.values():
        nodes = {node.name: node for node in function.node_def}
        paths.update(_constants(nodes, frozenset()))
    return {path for path in paths if path.startswith("/")}


def _constants(nodes: Mapping[str, Message], assets: Container[str]) -> Iterator[str]:
    for node in nodes.values():
        position = FILE_NAMES.get(node.op)
        if position is None or position >= len(node.input):
            continue
        name = source(nodes, node.input[position])
        if name in nodes and name not in assets and nodes[name].op == "Const":
            yield from _texts(nodes[name].attr["value"].tensor.string_val)


def _texts(values: Iterable[bytes]) -> Iterator[str]:
    for value in values:
        yield value.decode("utf-8", "replace")


RULES: tuple[Rule, ...] = (
    unrestored_variables,
    foreign_op,
    cyclic_graph,
    denied_op,
    absolute_path,
)
