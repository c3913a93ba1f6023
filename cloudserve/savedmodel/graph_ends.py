"""The ends of a graph without signatures: placeholders to feed, and tensors to fetch.

A graph of a training run also has losses, gradients and savers, which are left out by their ops and
by the scopes that TensorFlow 1 names them with (tensorflow/python/ops/gradients_util.py,
tensorflow/python/training/saver.py). What remains is a proposal: the user may name other tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count

from cloudserve.savedmodel.graph import Graph, node_name, read_graph
from cloudserve.savedmodel.proto import Message

_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})
_ANSWERS = frozenset({"ArgMax", "LogSoftmax", "Sigmoid", "Softmax", "TopKV2"})
_NO_TENSOR = re.compile(
    r"(Resource)?(Sparse)?Apply\w+|Assert|Assign\w*|Const|EmptyTensorList|InitializeTable\w*|"
    r"LookupTable\w*|NoOp|TensorList(FromTensor|PushBack|Reserve|Resize|SetItem)|"
    r"PlaceholderWithDefault|Print\w*|QueueClose\w*|Resource\w+|Restore\w*|\w*Summary\w*|Save\w*|"
    r"VarHandleOp|Variable\w*|VarIsInitializedOp"
)
"""Ops whose results no client asks for."""
_TRAINING = re.compile(r"(gradients|save|report_uninitialized\w*|init|train)(_[0-9]+)?(/.*)?")
_LOOPS = frozenset({"StatelessWhile", "While"})
_WORD = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Ends:
    """Proposed inputs and outputs: a tensor (`import/x:0`) by each alias."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def find_ends(graph_def: Message) -> Ends:
    """Return the placeholders that an answer needs, and the tensors that look like answers.

    Either may be empty. These are the last results of ops such as Softmax, otherwise those that no
    other node reads.
    """
    graph = read_graph(graph_def)
    followed = _followed(graph)
    kept = [name for name in followed if _is_kept(graph.nodes[name])]
    answers = _last(graph, [name for name in kept if graph.nodes[name].op in _ANSWERS])
    outputs = answers or _unread(graph, kept)
    fed = [n.name for n in graph.ancestors(outputs) if n.op in _PLACEHOLDERS and not n.input]
    return Ends(_by_alias(sorted(fed)), _by_alias(sorted(outputs)))


def _followed(graph: Graph) -> set[str]:
    """Return the nodes that a placeholder has an influence on."""
    readers: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        for tensor in node.input:
            readers.setdefault(node_name(tensor), []).append(node.name)
    pending = [node.name for node in graph.nodes.values() if node.op in _PLACEHOLDERS]
    found: set[str] = set()
    while pending:
        for name in readers.get(pending.pop(), ()):
            if name not in found:
                found.add(name)
                pending.append(name)
    return found


def _is_kept(node: Message) -> bool:
    return not (_NO_TENSOR.fullmatch(node.op) or _TRAINING.fullmatch(node.name))


def _last(graph: Graph, answers: list[str]) -> list[str]:
    """Return the answers that no other one is made of."""
    inner = {
        node.name
        for answer in answers
        for node in graph.ancestors(graph.nodes[answer].input)
        if node.name in answers
    }
    return [name for name in answers if name not in inner]


def _unread(graph: Graph, kept: Iterable[str]) -> list[str]:
    names = list(kept)
    read = {node_name(tensor) for name in names for tensor in graph.nodes[name].input}
    unread = [name for name in names if name not in read]
    results = {name: loop for name in unread if (loop := _loop(graph, name))}
    # A loop that another op reads is there for that one.
    used = {node_name(t) for n in names if n not in results for t in graph.nodes[n].input}
    return [name for name in unread if results.get(name) not in used]


def _loop(graph: Graph, name: str) -> str:
    """Return the loop that an Identity has a result of, "" if it has none.

    TensorFlow 2 writes an Identity for each variable of a loop, its counters included.
    """
    node = graph.nodes[name]
    first = node_name(node.input[0]) if node.op == "Identity" and node.input else ""
    return first if first in graph.nodes and graph.nodes[first].op in _LOOPS else ""


def _by_alias(names: Iterable[str]) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for name in names:
        whole = _WORD.sub("_", name)
        numbered = (f"{whole}_{n}" for n in count(1))
        candidates = chain((_WORD.sub("_", name.rpartition("/")[2]), whole), numbered)
        aliases[next(one for one in candidates if one not in aliases)] = f"{name}:0"
    return aliases
