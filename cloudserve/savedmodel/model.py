"""The noun that a SavedModel directory is read into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, Signature


@dataclass(frozen=True, slots=True)
class SavedModel:
    """What one MetaGraph of a SavedModel says. Its files and digest: `read_tree`."""

    path: Path
    tags: tuple[str, ...]
    """The tags of this MetaGraph, sorted."""
    available_tags: tuple[tuple[str, ...], ...]
    """The tags of each MetaGraph in the file, in its order."""
    tensorflow_version: str
    """The version that wrote it, such as `2.14.0`; "" when it does not say."""
    tensorflow_git_version: str
    all_signatures: tuple[Signature, ...]
    """All signatures, sorted by name, those of the loader included."""
    ops: tuple[str, ...]
    """The distinct ops of the graph and its functions, sorted; calls by function name left out."""
    assets: tuple[str, ...]
    """The files below `assets/` that the graph names, sorted."""
    missing_assets: tuple[str, ...]
    """Those of them that are not there. A model works without, unless its ops open the file."""
    has_variables: bool
    loaded_ops: tuple[str, ...] = ()
    """Of `ops`, those that a load looks up: of the graph and the functions that its nodes call."""
    unrestored: tuple[str, ...] = ()
    """Variables that signatures read and TensorFlow Serving does not restore, sorted."""

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Return the signatures that requests can name, sorted by name."""
        return tuple(s for s in self.all_signatures if s.name not in HIDDEN_SIGNATURES)

    def signature(self, name: str) -> Signature:
        """Return a signature by name, hidden ones too. Raises UserError, naming those there are."""
        found = next((s for s in self.all_signatures if s.name == name), None)
        if found is None:
            raise UserError(
                f"the model has no signature {name!r}",
                where=str(self.path),
                hint=choose_from(s.name for s in self.signatures),
            )
        return found
