"""The places of a MetaGraph that faults are planted in.

Each raises StopIteration, IndexError or ValueError if a model has no such place.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from cloudserve.local_server.messages import Message

from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_STRING = 7


def scopes(meta_graph: Message) -> list[Any]:
    """Return the nodes of the graph, and those of each function."""
    graph = meta_graph.graph_def
    return [graph.node, *(one.node_def for one in graph.library.function)]


def nodes(meta_graph: Message) -> Iterator[Message]:
    return chain.from_iterable(scopes(meta_graph))


def first(meta_graph: Message, *ops: str) -> Message:
    """Return the graph's first node of some ops that has an input."""
    nodes = meta_graph.graph_def.node
    return next(
        node for node in nodes if node.input[:1] and node.input[0][0] != "^" and node.op in ops
    )


def reader(meta_graph: Message) -> Message:
    """Return the graph's first node that reads a tensor."""
    return next(
        node for node in meta_graph.graph_def.node if node.input[:1] and node.input[0][0] != "^"
    )


def served_call(meta_graph: Message) -> Message:
    """Return the call of a function that a signature fetches.

    A signature of numbers comes first: what is made up for Examples is refused before the call
    returns, so that a fault in its result is not seen.
    """
    named = {node.name: node for node in meta_graph.graph_def.node}
    served = sorted(signatures(meta_graph), key=takes_strings)
    outputs = (one for each in served for one in each.outputs.values())
    nodes = (named.get(one.name.partition(":")[0]) for one in outputs)
    return next(node for node in nodes if node is not None and node.op in CALLS)


def takes_strings(signature: Message) -> bool:
    return any(one.dtype == _STRING for one in signature.inputs.values())


def served_function(meta_graph: Message) -> Message:
    name = served_call(meta_graph).attr["f"].func.name
    functions = meta_graph.graph_def.library.function
    return next(one for one in functions if one.signature.name == name)


def signatures(meta_graph: Message) -> list[Message]:
    names = sorted(set(meta_graph.signature_def) - HIDDEN_SIGNATURES)
    return [meta_graph.signature_def[name] for name in names]


def output(meta_graph: Message) -> Message:
    outputs = signatures(meta_graph)[0].outputs
    return outputs[min(outputs)]


def predicted(meta_graph: Message) -> Message:
    """Return the first input of the first signature for Predict."""
    method = "tensorflow/serving/predict"
    one = next(one for one in signatures(meta_graph) if one.method_name == method)
    return one.inputs[min(one.inputs)]
