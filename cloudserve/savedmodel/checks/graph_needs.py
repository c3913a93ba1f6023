"""What a graph asks of a TensorFlow beside ops: its version, and attributes that ops gained later.

A graph names the oldest version that may read it, and versions that may not (`CheckVersions` in
tensorflow/core/framework/versions.cc); these are numbers of the graph's format, which grow daily.
TensorFlow before 2.5 refuses an attribute that its op does not have, a later one ignores it
(`ValidateNodeDef` in tensorflow/core/framework/node_def_util.cc; tried with every version).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cloudserve.savedmodel.checks.op_table import OpTable, minor_version, parse_table
from cloudserve.savedmodel.graph import Graph
from cloudserve.savedmodel.proto import Message

ATTRIBUTES = Path(__file__).with_name("op_attributes.txt")
ATTRIBUTES_TITLE = "Attributes that an op has in some versions of TensorFlow only: OP.ATTRIBUTE."
_FIRST_TO_IGNORE = (2, 5)
_NUMBERS = """
    1.15=134 2.0=119 2.1=175 2.2=175 2.3=440 2.4=561 2.5=716 2.6=808 2.7=898 2.8=987 2.9=1087
    2.10=1205 2.11=1286 2.12=1395 2.13=1482 2.14=1575 2.15=1645 2.16=1766 2.17=1882 2.18=1994
    2.19=2129 2.20=2288 2.21=2474
"""
GRAPH_VERSIONS = {
    version: int(number) for version, number in (one.split("=") for one in _NUMBERS.split())
}
"""TF_GRAPH_DEF_VERSION of each version, from the error of its library for `min_consumer`."""


@dataclass(frozen=True, slots=True)
class GraphNeeds:
    """The demands of one graph."""

    producer: int = 0
    min_consumer: int = 0
    bad_consumers: tuple[int, ...] = ()
    attributes: tuple[str, ...] = ()
    """Those of its attributes that not every version has: `OP.ATTRIBUTE`, sorted."""

    def refusal(self, version: str) -> str:
        """Return TensorFlow's words for refusing the graph; "" if it does not, or is unknown."""
        current = GRAPH_VERSIONS.get(minor_version(version))
        if self.producer < 0:
            return f"GraphDef producer version {self.producer} below min producer 0"
        if current is None:
            return ""
        if self.min_consumer > current:
            return (
                f"GraphDef min consumer version {self.min_consumer} above current version {current}"
            )
        if current in self.bad_consumers:
            return f"GraphDef disallows consumer version {current}"
        if missing := self._unknown_attributes(version):
            op, _, name = missing[0].partition(".")
            return f"NodeDef mentions attr '{name}' not in Op<name={op}"
        return ""

    def _unknown_attributes(self, version: str) -> tuple[str, ...]:
        numbers = tuple(map(int, minor_version(version).split(".")))
        return (
            ()
            if numbers >= _FIRST_TO_IGNORE
            else read_attributes().missing(self.attributes, version)
        )


NO_NEEDS = GraphNeeds()


@cache
def read_attributes() -> OpTable:
    """Read the table of this package."""
    return parse_table(ATTRIBUTES.read_text("utf-8"))


@cache
def _all_attributes() -> frozenset[str]:
    return frozenset().union(*read_attributes().versions.values())


def graph_needs(graph_def: Message, graph: Graph) -> GraphNeeds:
    """Return the demands of a graph and of the functions that it calls."""
    nodes = graph.nodes.values()
    inner = (node for one in graph.called_by(nodes) for node in one.node_def)
    used = {*_attributes(nodes), *_attributes(inner)}
    versions = graph_def.versions
    return GraphNeeds(
        versions.producer,
        versions.min_consumer,
        tuple(versions.bad_consumers),
        tuple(sorted(used & _all_attributes())),
    )


def _attributes(nodes: Iterable[Message]) -> Iterable[str]:
    return (f"{node.op}.{name}" for node in nodes for name in node.attr)
