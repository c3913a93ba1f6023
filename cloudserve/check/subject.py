"""The subject of a check: a SavedModel with its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cloudserve.check.finding import Finding
from cloudserve.savedmodel import SavedModel, read_saved_model
from cloudserve.savedmodel.checkpoint.checksums import Extend
from cloudserve.savedmodel.graph import Graph, read_graph
from cloudserve.savedmodel.proto import Message
from cloudserve.savedmodel.reader import read_assets, read_meta_graph


@dataclass(frozen=True, slots=True)
class Subject:
    """A SavedModel as the rules see it."""

    base: Path
    """The path that the user named: the SavedModel's directory, or the one above its versions."""
    model: SavedModel
    meta_graph: Message
    graph: Graph
    asset_nodes: frozenset[str]
    """The graph's constants that a loader replaces with the paths of the assets."""
    extend: Extend | None
    """CRC-32C, if google-crc32c is installed."""


Rule = Callable[[Subject], Iterable[Finding]]


def read_subject(base: Path, folder: Path, tags: tuple[str, ...]) -> Subject:
    """Read a SavedModel with its graph; raises ModelError as `read_saved_model`."""
    model = read_saved_model(folder, tags)
    meta_graph = read_meta_graph(folder, tags)
    assets = read_assets(meta_graph, folder)
    nodes = (asset.tensor_info.name.partition(":")[0] for asset in assets)
    graph = read_graph(meta_graph.graph_def)
    return Subject(base, model, meta_graph, graph, frozenset(nodes), _crc32c())


def _crc32c() -> Extend | None:
    try:
        import google_crc32c
    except ImportError:
        return None
    extend: Extend = google_crc32c.extend
    return extend
