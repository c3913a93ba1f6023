"""The ops of a model that need a kernel on the server.

TensorFlow places all nodes of the main graph before it runs any of them, and those of a function
when it is called, without the nodes that the function's results do not depend on. A function that
XLA compiles as a whole needs no kernels (tried with a session of TensorFlow 2.21; `Placer::Run` in
tensorflow/core/common_runtime/placer.cc, `PruneFunctionGraph` in function_utils.cc).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudserve.savedmodel.checks.roots import initial_tensors, served_nodes
from cloudserve.savedmodel.graph import Graph, read_graph
from cloudserve.savedmodel.proto import Message

_COMPILED = "_XlaMustCompile"
_REWRITTEN = frozenset({"AccumulateNV2"})
"""Ops without a kernel that TensorFlow replaces before it places (accumulate_n_optimizer.cc)."""


def kernel_ops(meta_graph: Message, *, has_variables: bool) -> tuple[str, ...]:
    """Return the ops of the main graph and of the functions that load and signatures call, sorted.

    `has_variables` is whether the loader runs the restore op.
    """
    graph = read_graph(meta_graph.graph_def)
    started = graph.ancestors(initial_tensors(meta_graph, has_variables=has_variables))
    run = (*started, *served_nodes(meta_graph, graph))
    nodes = (*graph.nodes.values(), *called_nodes(graph, run))
    ops = {node.op for node in nodes if node.op not in graph.functions}
    return tuple(sorted(ops - _REWRITTEN))


def called_nodes(graph: Graph, callers: Iterable[Message]) -> Iterator[Message]:
    """Yield the nodes that run in the called functions, and in those that they call, once each.

    Functions that XLA compiles are left out.
    """
    pending, visited = list(callers), set[str]()
    while pending:
        node = pending.pop()
        if _is_compiled(node):
            continue
        for name in set(graph.called(node)) - visited:
            visited.add(name)
            function = graph.functions[name]
            needed = () if _is_compiled(function) else tuple(needed_nodes(function))
            yield from needed
            pending.extend(needed)


def _is_compiled(node_or_function: Message) -> bool:
    attributes = node_or_function.attr
    return _COMPILED in attributes and bool(attributes[_COMPILED].b)


def needed_nodes(function: Message) -> Iterator[Message]:
    """Yield the nodes that a function's results depend on: the others do not run."""
    inner = Graph({node.name: node for node in function.node_def}, {})
    return inner.ancestors((*function.ret.values(), *function.control_ret.values()))
