"""The interface of a model: what its clients depend on, read from its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudserve.savedmodel.checks.contract import compare
from cloudserve.savedmodel.checks.differences import Contract
from cloudserve.savedmodel.classes.compare import compare_vocabularies
from cloudserve.savedmodel.classes.reader import ReadAsset, Vocabulary, read_vocabularies
from cloudserve.savedmodel.files import is_file, read_file
from cloudserve.savedmodel.proto import Message
from cloudserve.savedmodel.reader import (
    parse_meta_graph,
    read_assets,
    read_meta_graph,
    read_signatures,
)
from cloudserve.savedmodel.signature import Signature

ASSETS = "assets"
"""The folder of a SavedModel's assets."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The signatures of a model, and the classes that its outputs can name."""

    signatures: tuple[Signature, ...]
    """All signatures, sorted by name, including the loader's."""
    vocabularies: tuple[Vocabulary, ...] = ()


def read_interface(path: Path, tags: tuple[str, ...] = ("serve",)) -> Interface:
    """Read the interface of a SavedModel directory; reads no variable. Raises ModelError."""

    def read_asset(name: str) -> bytes | None:
        folder = path / ASSETS
        return read_file(folder, name) if is_file(folder / name) else None

    return _interface(read_meta_graph(path, tags), str(path), read_asset)


def parse_interface(
    data: bytes, name: str, tags: tuple[str, ...], where: str, read_asset: ReadAsset
) -> Interface:
    """Return the interface of a model whose file is called `name` (`MODEL_FILES`).

    `read_asset` returns a file below `assets/`, or None. Raises ModelError as `read_saved_model`.
    """
    return _interface(parse_meta_graph(data, name, tags, where), where, read_asset)


def compare_interfaces(live: Interface, new: Interface) -> Contract:
    """Compare signatures and class vocabularies of the live version with those of a new one."""
    contract = compare(live.signatures, new.signatures)
    return contract.merged(compare_vocabularies(live.vocabularies, new.vocabularies))


def _interface(graph: Message, where: str, read_asset: ReadAsset) -> Interface:
    signatures, assets = read_signatures(graph), read_assets(graph, where)
    return Interface(signatures, read_vocabularies(graph, signatures, assets, read_asset))
