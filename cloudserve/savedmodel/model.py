"""The contents of a SavedModel directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.savedmodel.checks.graph_needs import NO_NEEDS, GraphNeeds
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, Signature


@dataclass(frozen=True, slots=True)
class SavedModel:
    """One MetaGraph of a SavedModel. `read_tree` has its files and digest."""

    path: Path
    tags: tuple[str, ...]
    """The tags of this MetaGraph, sorted."""
    available_tags: tuple[tuple[str, ...], ...]
    """The tags of each MetaGraph, in the order of the file."""
    tensorflow_version: str
    """The TensorFlow version that wrote it, such as `2.14.0`; "" if unknown."""
    tensorflow_git_version: str
    all_signatures: tuple[Signature, ...]
    """All signatures, sorted by name, including the loader's."""
    ops: tuple[str, ...]
    """The distinct ops of the graph and its functions, sorted; without calls by function name."""
    assets: tuple[str, ...]
    """The files below `assets/` that the graph names, sorted."""
    missing_assets: tuple[str, ...]
    """Assets that do not exist. The model works without them unless its ops open the files."""
    has_variables: bool
    loaded_ops: tuple[str, ...] = ()
    """Those of `ops` that a load looks up, in the graph and the functions that it calls."""
    kernel_ops: tuple[str, ...] = ()
    """Those of `ops` that need a kernel on the server, sorted."""
    needs: GraphNeeds = NO_NEEDS
    """What the graph asks of a TensorFlow beside its ops."""
    unrestored: tuple[str, ...] = ()
    """Variables that signatures read and TensorFlow Serving does not restore, sorted."""

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Return the signatures that requests can name, sorted by name."""
        return tuple(s for s in self.all_signatures if s.name not in HIDDEN_SIGNATURES)

    def signature(self, name: str) -> Signature:
        """Return a signature by name, even a hidden one. Raises UserError with all names."""
        signature = next((s for s in self.all_signatures if s.name == name), None)
        if signature is None:
            raise UserError(
                f"the model has no signature {name!r}",
                where=str(self.path),
                hint=choose_from(s.name for s in self.signatures),
            )
        return signature
