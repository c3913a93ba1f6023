"""Tensors traced through function calls: a graph, or one call of a function, as a frame.

A tensor of the graph is `node:2`, one of a function's body `node:output:2`, an argument `name`
(tensorflow/core/framework/function.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloudserve.savedmodel.graph import Graph, node_name
from cloudserve.savedmodel.proto import Message

DEEPEST = 16
"""Nested calls that are followed; deeper ones belong to no vocabulary."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The graph, or a call of one of its functions."""

    graph: Graph
    nodes: Mapping[str, Message]
    arguments: Mapping[str, str]
    """The caller's tensor for each argument of the function."""
    caller: Frame | None = None
    depth: int = 0

    def node(self, tensor: str) -> tuple[Frame, Message | None]:
        """Return the node that produces a tensor, and its frame; None for an unknown tensor."""
        frame, name = self, node_name(tensor)
        while frame.caller is not None and name in frame.arguments:
            name, frame = node_name(frame.arguments[name]), frame.caller
        return frame, frame.nodes.get(name)

    def call(self, node: Message) -> tuple[Frame, Message] | None:
        """Return the frame of a node's call and its function; None if it calls no single one."""
        names = self.graph.called(node)
        if len(names) != 1 or self.depth == DEEPEST:
            return None
        function = self.graph.functions[names[0]]
        parameters = [argument.name for argument in function.signature.input_arg]
        arguments = dict(zip(parameters, node.input, strict=False))
        nodes = {inner.name: inner for inner in function.node_def}
        return Frame(self.graph, nodes, arguments, self, self.depth + 1), function

    def returned(self, node: Message, tensor: str) -> tuple[Frame, str] | None:
        """Return the tensor of a called function that is the output `tensor` of its call."""
        called = self.call(node)
        index = output_index(tensor)
        if called is None or index >= len(called[1].signature.output_arg):
            return None
        frame, function = called
        returned = function.ret.get(function.signature.output_arg[index].name, "")
        return (frame, returned) if returned else None

    def walk(self) -> Iterator[Frame]:
        """Yield this frame and those of all calls below it."""
        pending = [self]
        while pending:
            frame = pending.pop()
            yield frame
            calls = (frame.call(node) for node in frame.nodes.values())
            pending.extend(called[0] for called in calls if called is not None)


def main_frame(graph: Graph) -> Frame:
    """Return the frame of the graph itself."""
    return Frame(graph, graph.nodes, {})


def output_index(tensor: str) -> int:
    """Return the output's number in a tensor's name: 2 of `node:2`, 0 of `node`."""
    last = tensor.rpartition(":")[2]
    return int(last) if last.isdecimal() else 0
