"""The subject of a check: a SavedModel with its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudserve.check.finding import Finding
from cloudserve.check.scopes import Scope, scope_of
from cloudserve.savedmodel import SavedModel, read_saved_model
from cloudserve.savedmodel.checkpoint.checksums import Extend
from cloudserve.savedmodel.checks.roots import initial_tensors, served_nodes
from cloudserve.savedmodel.definitions import read_definitions
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
    scopes: tuple[Scope, ...]
    """The graph, and the functions that a load and the signatures call."""
    asset_nodes: Mapping[str, str]
    """The graph's constants that a loader replaces with the paths of the assets: their files."""
    extend: Extend | None
    """CRC-32C, if google-crc32c is installed."""


Rule = Callable[[Subject], Iterable[Finding]]


def read_subject(base: Path, folder: Path, tags: tuple[str, ...]) -> Subject:
    """Read a SavedModel with its graph; raises ModelError as `read_saved_model`."""
    model = read_saved_model(folder, tags)
    meta_graph = read_meta_graph(folder, tags)
    assets = read_assets(meta_graph, folder)
    nodes = {asset.tensor_info.name.partition(":")[0]: asset.filename for asset in assets}
    graph = read_graph(meta_graph.graph_def)
    scopes = tuple(_scopes(meta_graph, graph, has_variables=model.has_variables))
    return Subject(base, model, meta_graph, graph, scopes, nodes, _crc32c())


def _scopes(meta_graph: Message, graph: Graph, *, has_variables: bool) -> Iterator[Scope]:
    definitions = read_definitions(meta_graph)
    yield Scope(graph.nodes, definitions)
    loaded = graph.ancestors(initial_tensors(meta_graph, has_variables=has_variables))
    for function in graph.called_by((*loaded, *served_nodes(meta_graph, graph))):
        yield scope_of(function, definitions)


def _crc32c() -> Extend | None:
    try:
        import google_crc32c
    except ImportError:
        return None
    extend: Extend = google_crc32c.extend
    return extend
