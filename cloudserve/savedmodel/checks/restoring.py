"""Variables that the signatures read and TensorFlow Serving does not restore.

TensorFlow Serving restores variables only with the SavedModel's restore op and init op
(`RunRestore` and `RunInitOp` in tensorflow/cc/saved_model/loader.cc); `tf.saved_model.load` in
Python restores the object graph instead. `tf.saved_model.save` of a Keras 3 model writes restore
ops for copies of the variables, so TensorFlow Serving loads the model and its requests fail.

A variable is identified by its container and shared name: two nodes may be handles of one variable.
An undecidable variable counts as restored, because a working model must not be refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudserve.savedmodel.checks.roots import initial_tensors, served_nodes
from cloudserve.savedmodel.graph import Graph, read_graph, source
from cloudserve.savedmodel.proto import Message

_HANDLES = frozenset({"VarHandleOp"})
_REFERENCES = frozenset({"Variable", "VariableV2"})
VARIABLE_OPS = _HANDLES | _REFERENCES

_READS = frozenset(
    {"ReadVariableOp", "ResourceGather", "ResourceGatherNd"}
    | {"AssignAddVariableOp", "AssignSubVariableOp"}
)
"""Ops on a handle that fail if the variable has no value."""
_ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_ASKS = frozenset({"IsVariableInitialized"})

_FIRST_ARGUMENT = {
    "BatchFunction": 0,
    "Case": 1,
    "If": 1,
    "PartitionedCall": 0,
    "StatefulPartitionedCall": 0,
    "StatelessCase": 1,
    "StatelessIf": 1,
    "StatelessWhile": 0,
    "While": 0,
}
"""Ops that call functions, and the position of the functions' first argument."""


def unrestored_variables(meta_graph: Message, *, has_variables: bool) -> tuple[str, ...]:
    """Return the names of these variables as in TensorFlow Serving's error, sorted.

    `has_variables` is whether there is a `variables.index`: otherwise TensorFlow Serving does not
    run the restore op.
    """
    graph = read_graph(meta_graph.graph_def)
    variables = {n.name: _key(n) for n in graph.nodes.values() if n.op in VARIABLE_OPS}
    if not variables:
        return ()
    roots = list(initial_tensors(meta_graph, has_variables=has_variables))
    valued = {variables[n.name] for n in graph.ancestors(roots) if n.name in variables}
    uses = _Reader(graph).uses(served_nodes(meta_graph, graph), graph.nodes, variables)
    return tuple(sorted({name for _, name in uses.read - uses.assigned - valued}))


def _key(variable: Message) -> tuple[str, str]:
    """Return a variable's container and name, which identify it in a session."""
    shared = variable.attr["shared_name"].s.decode("utf-8", "replace")
    container = variable.attr["container"].s.decode("utf-8", "replace")
    return container, shared or variable.name


@dataclass(slots=True)
class _Uses:
    """The handles that nodes and the functions they call read and assign."""

    read: set[Any] = field(default_factory=set)
    assigned: set[Any] = field(default_factory=set)


@dataclass(slots=True)
class _Reader:
    """Finds the reads and assignments of variables; analyses each function once."""

    graph: Graph
    _functions: dict[str, _Uses] = field(default_factory=dict)
    """By function: the positions of the arguments that it reads and assigns."""

    def uses(
        self, nodes: Iterable[Message], known: Mapping[str, Message], handles: Mapping[str, Any]
    ) -> _Uses:
        """Return the uses of handles, given by node or argument name."""
        uses = _Uses()
        for node, position, name in _handle_inputs(nodes, known, handles):
            reads, assigns = self._use(node, position)
            if name in known and known[name].op in _REFERENCES:
                reads = not assigns and node.op not in _ASKS
            if reads:
                uses.read.add(handles[name])
            if assigns:
                uses.assigned.add(handles[name])
        return uses

    def _use(self, node: Message, position: int) -> tuple[bool, bool]:
        """Return whether a node reads, and whether it assigns, the variable at an input."""
        if node.op in _READS or node.op in _ASSIGNS:
            return position == 0 and node.op in _READS, position == 0 and node.op in _ASSIGNS
        first = 0 if node.op in self.graph.functions else _FIRST_ARGUMENT.get(node.op)
        if first is None:
            return False, False
        called = [self._function(name) for name in self.graph.called(node)]
        argument = position - first
        reads = any(argument in function.read for function in called)
        return reads, any(argument in function.assigned for function in called)

    def _function(self, name: str) -> _Uses:
        if name not in self._functions:
            self._functions[name] = _Uses()  # for a recursive call, which adds nothing
            function = self.graph.functions[name]
            nodes = {node.name: node for node in function.node_def}
            arguments = {one.name: n for n, one in enumerate(function.signature.input_arg)}
            self._functions[name] = self.uses(nodes.values(), nodes, arguments)
        return self._functions[name]


def _handle_inputs(
    nodes: Iterable[Message], known: Mapping[str, Message], handles: Mapping[str, Any]
) -> Iterator[tuple[Message, int, str]]:
    """Yield each node that has a handle as an input, the input's position, and the handle."""
    for node in nodes:
        for position, tensor in enumerate(node.input):
            if not tensor.startswith("^") and (name := source(known, tensor)) in handles:
                yield node, position, name
