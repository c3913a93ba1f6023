"""The interface of a model: what its clients depend on, read from its files, and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudserve.plural import counted
from cloudserve.savedmodel.checks.contract import compare
from cloudserve.savedmodel.checks.differences import Contract, Difference, Effect
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


NAMED = 3
"""Classes that a sentence names."""


def compare_vocabularies(
    live: Iterable[Vocabulary], new: Iterable[Vocabulary]
) -> Iterator[Difference]:
    """Yield the differences of the outputs whose vocabularies are known in both versions.

    A client may depend on a name, or on the position of its score. Only classes that are added at
    the end change neither.
    """
    after = {(one.signature, one.output): one.classes for one in new}
    for one in live:
        classes = after.get((one.signature, one.output))
        if classes is not None and classes != one.classes:
            yield _difference(one, classes)


def _difference(live: Vocabulary, new: tuple[str, ...]) -> Difference:
    known, now = set(live.classes), set(new)
    removed = [name for name in live.classes if name not in now]
    added = [name for name in new if name not in known]
    what = f"output {live.output}: "
    if removed:
        text = f"{what}{_counted(removed)} {'is' if len(removed) == 1 else 'are'} missing"
        answered = f"requests whose class is in both vocabularies of {live.output}"
        return Difference(live.signature, text + _and(added), Effect.SOME, answered)
    if new[: len(live.classes)] != live.classes:
        text = f"{what}the classes have another order{_and(added)}"
        answered = f"requests of clients that read the names in {live.output}, not positions"
        return Difference(live.signature, text, Effect.SOME, answered)
    return Difference(live.signature, f"{what}{_counted(added)} added at the end")


def _and(added: Sequence[str]) -> str:
    return f", and {_counted(added)} added" if added else ""


def _counted(names: Sequence[str]) -> str:
    listed = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{counted(len(names), 'class', 'classes')} ({listed})"
