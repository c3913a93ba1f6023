"""The scopes of a graph: its own nodes, and the body of each function that requests call.

TensorFlow converts all nodes of the graph when a model is loaded (`GraphConstructor::Convert` in
tensorflow/core/common_runtime/graph_constructor.cc), and the nodes of a function when it is
instantiated for a call (`InstantiateFunction` in tensorflow/core/framework/function.cc).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cloudserve.savedmodel.definitions import flat, ports
from cloudserve.savedmodel.proto import Message


@dataclass(frozen=True, slots=True)
class Scope:
    """Nodes that read each other by name."""

    nodes: Mapping[str, Message]
    definitions: Mapping[str, Message]
    function: Message | None = None
    """The function, or None for the graph."""
    arguments: Mapping[str, Message] = field(default_factory=dict)
    """The arguments of the function by name."""

    @property
    def place(self) -> str:
        """Return ` of the function NAME`, or "" for the graph."""
        return f" of the function {self.function.signature.name}" if self.function else ""

    @property
    def consequence(self) -> str:
        """Return what a node that TensorFlow refuses prevents."""
        if self.function is None:
            return "TensorFlow does not load the graph"
        return "the load, or every request that calls the function, fails"

    def dtype(self, tensor: str) -> int | None:
        """Return a tensor's dtype; None if its node or the definition of the op is unknown.

        Raises IndexError if the node has no such output.
        """
        name, *rest = tensor.split(":")
        if name in self.arguments:
            return self._only(self.arguments[name])
        node = self.nodes.get(name)
        definition = self.definitions.get(node.op) if node else None
        if node is None or definition is None:
            return None
        try:
            outputs = ports(definition.output_arg, node, definition)
        except LookupError:
            return None  # the attribute that is missing is a finding of its own
        if self.function is None:
            return flat(outputs)[_number(rest)]
        named = {port.name: port.dtypes for port in outputs}
        if not rest or rest[0] not in named:
            raise IndexError
        return named[rest[0]][_number(rest[1:])]

    def _only(self, argument: Message) -> int | None:
        """Return the dtype of a function's argument; None if the call decides it."""
        number: int = argument.type
        return number or None


def _number(rest: list[str]) -> int:
    """Return the position in `["1"]`, 0 if there is none; raises IndexError for another text."""
    text = rest[0] if rest else "0"
    if not text.isdecimal():
        raise IndexError
    return int(text)


def data_inputs(node: Message) -> list[str]:
    """Return a node's inputs that are tensors."""
    return [tensor for tensor in node.input if not tensor.startswith("^")]


def scope_of(function: Message, definitions: Mapping[str, Message]) -> Scope:
    """Return the body of a function."""
    nodes = {node.name: node for node in function.node_def}
    arguments = {one.name: one for one in function.signature.input_arg}
    return Scope(nodes, definitions, function, arguments)


def in_scopes(scopes: tuple[Scope, ...]) -> Iterator[tuple[Scope, Message, Message]]:
    """Yield the nodes whose ops are defined, with their scopes and definitions."""
    for scope in scopes:
        for node in scope.nodes.values():
            if definition := scope.definitions.get(node.op):
                yield scope, node, definition


def undefined_ops(scopes: tuple[Scope, ...]) -> list[str]:
    """Return the ops of all nodes that have no definition, sorted."""
    found = {node.op for scope in scopes for node in scope.nodes.values()}
    return sorted(found.difference(*(scope.definitions for scope in scopes)))
