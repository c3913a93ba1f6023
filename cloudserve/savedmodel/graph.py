"""Traversal of a `GraphDef`: nodes by name, called functions, the ancestors of a tensor."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from cloudserve.savedmodel.proto import Message

_FORWARDS = frozenset(
    {"Enter", "Identity", "Merge", "NextIteration", "Switch"}
    | {"RefEnter", "RefIdentity", "RefMerge", "RefNextIteration", "RefSwitch"}
)
"""Ops that return their first input, and so pass a handle on."""

_NO_NODES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph's nodes and functions by name."""

    nodes: Mapping[str, Message]
    functions: Mapping[str, Message]

    def ancestors(
        self, tensors: Iterable[str], fed: Container[str] = _NO_NODES
    ) -> Iterator[Message]:
        """Yield the nodes that these tensors depend on, without the fed ones."""
        pending = [node_name(tensor) for tensor in tensors]
        visited = set()
        while pending:
            name = pending.pop()
            if name in self.nodes and name not in visited and name not in fed:
                visited.add(name)
                yield self.nodes[name]
                pending.extend(map(node_name, self.nodes[name].input))

    def called(self, node: Message) -> tuple[str, ...]:
        """Return the library functions that a node calls, such as the branches of an `If`."""
        names = [node.op]
        for name in sorted(node.attr):
            value = node.attr[name]
            names.append(value.func.name)
            names.extend(function.name for function in value.list.func)
        return tuple(name for name in names if name in self.functions)

    def loaded_ops(self) -> frozenset[str]:
        """Return the ops that a load looks up: those of the graph and of the functions it calls.

        TensorFlow refuses a model with an unknown op there, even in the function that saves, and
        accepts one in a function that no node calls (tried with `LoadSavedModel` of 2.21).
        """
        return self.ops_of(self.nodes.values())

    def ops_of(self, nodes: Iterable[Message]) -> frozenset[str]:
        """Return the ops of nodes, and of the functions that they call."""
        outer = tuple(nodes)
        inner = (node for one in self.called_by(outer) for node in one.node_def)
        return frozenset({node.op for node in chain(outer, inner)} - self.functions.keys())

    def called_by(self, nodes: Iterable[Message]) -> Iterator[Message]:
        """Yield the functions that nodes call, and those that these call, once each."""
        visited: set[str] = set()
        pending = list(nodes)
        while pending:
            for name in self.called(pending.pop()):
                if name not in visited:
                    visited.add(name)
                    yield self.functions[name]
                    pending.extend(self.functions[name].node_def)


def read_graph(graph_def: Message) -> Graph:
    """Index a `GraphDef`."""
    return Graph(
        {node.name: node for node in graph_def.node},
        {function.signature.name: function for function in graph_def.library.function},
    )


def node_name(tensor: str) -> str:
    """Return the node of a tensor (`x:0`, in a function `x:out:0`) or a control input (`^x`)."""
    return tensor.removeprefix("^").partition(":")[0]


def source(nodes: Mapping[str, Message], tensor: str) -> str:
    """Return the node that produces a tensor, skipping ops that forward their input.

    In a damaged graph such an op may have no input; then it is the op itself.
    """
    name = node_name(tensor)
    visited = set()
    while name in nodes and name not in visited and nodes[name].op in _FORWARDS:
        if not nodes[name].input:
            break
        visited.add(name)
        name = node_name(nodes[name].input[0])
    return name
