"""The contract of a registry of models, such as MLflow's, whose versions are named by URLs.

Adapters provide it through the entry points `cloudserve.registries`, by URL scheme (`models:/…`,
`runs:/…`): a callable (URL, environment) -> ModelRegistry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """The version that a registry's URL names now."""

    url: str
    """The URL that always names this version, such as `models:/half/3`."""
    number: int | None = None
    """The version's number; None if the registry does not number it, as the files of a run."""


class ModelRegistry(Protocol):
    """A registry of models: reads versions, and moves aliases when a release asks for it."""

    def find(self, url: str) -> RegisteredModel:
        """Return the version that a URL names now.

        Raises UserError if there is none, RemoteError if the registry fails.
        """
        ...

    def download(self, url: str, into: Path) -> Path:
        """Download a version into an empty directory, and return the directory of its SavedModel.

        Raises ModelError if it has none, RemoteError if the registry or its store fails.
        """
        ...

    def aliased(self, url: str, alias: str) -> int | None:
        """Return the number of the version with an alias, of the model of `url`; None if none."""
        ...

    def set_alias(self, url: str, alias: str) -> None:
        """Give an alias to the numbered version that `url` names, taking it from another.

        Raises RemoteError if the registry fails.
        """
        ...
