"""The watch over base paths, which reports the aspired versions (FileSystemStoragePathSource).

Source: tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc.
An empty base path unloads its versions; a missing one changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from ..config import ModelConfig, Specific
from .discovery import find_versions
from .remote import RemoteBases
from .rounds import Rounds

logger = logging.getLogger(__name__)

Aspire = Callable[[str, Mapping[int, Path]], None]
Discover = Callable[[Path], Mapping[int, Path]]
DiscoverRemote = Callable[[ModelConfig], Mapping[int, Path]]
"""Takes a model whose base path is a bucket URL; makes the chosen versions local."""


class FileSystemSource:
    """Reads base paths on demand. For one event loop.

    With `independent`, a model whose base path is missing is skipped; TensorFlow Serving updates
    no model at all in such a round.
    """

    def __init__(
        self,
        aspire: Aspire,
        discover: Discover = find_versions,
        *,
        independent: bool = False,
        remote: DiscoverRemote | None = None,
    ) -> None:
        self._aspire = aspire
        self._discover = discover
        self._remote = remote or RemoteBases().find
        self._independent = independent
        self._models: tuple[ModelConfig, ...] = ()
        self._polling = asyncio.Lock()
        self._rounds = Rounds(logger)
        self.problems: Mapping[str, str] = {}
        """Why models could not be read in the last round, by name."""
        self.existing: Mapping[str, frozenset[int]] = {}
        """The versions that the last round found, served or not, of the models that it read."""

    def configure(self, models: Iterable[ModelConfig]) -> None:
        """Watch these models from the next poll on; unload those that are no longer named."""
        previous, self._models = self._models, tuple(models)
        for name in {model.name for model in previous} - {model.name for model in self._models}:
            self._aspire(name, {})

    async def poll(self) -> None:
        """Read every base path once and aspire the versions found."""
        async with self._polling:
            models = self._models
            versions, problems = await asyncio.to_thread(self._read, models)
            if models is not self._models:
                return  # the configuration has changed
            self.problems = problems
            self.existing = {name: frozenset(found) for name, found in versions.items()}
            readable = [model for model in models if model.name in versions]
            remarks = (_remarks(model, versions[model.name]) for model in readable)
            self._rounds.log([*problems.values(), *chain.from_iterable(remarks)])
            if problems and not self._independent:
                return
            for model in readable:
                self._take(model, versions[model.name])

    def _read(
        self, models: tuple[ModelConfig, ...]
    ) -> tuple[dict[str, Mapping[int, Path]], dict[str, str]]:
        versions: dict[str, Mapping[int, Path]] = {}
        problems: dict[str, str] = {}
        for model in models:
            try:
                versions[model.name] = self._find(model)
            except OSError as error:
                problems[model.name] = (
                    f"Could not find base path {model.base_path} for servable {model.name} "
                    f"with error NOT_FOUND: {model.base_path}: {error.strerror}"
                )
        return versions, problems

    def _find(self, model: ModelConfig) -> Mapping[int, Path]:
        folder = model.folder
        return self._remote(model) if folder is None else self._discover(folder)

    def _take(self, model: ModelConfig, versions: Mapping[int, Path]) -> None:
        chosen = model.policy.choose(versions)
        self._aspire(model.name, {version: versions[version] for version in chosen})


def _remarks(model: ModelConfig, versions: Mapping[int, Path]) -> Iterator[str]:
    if not versions:
        yield (
            f"No versions of servable {model.name} found under base path {model.base_path}. "
            "Did you forget to name your leaf directory as a number (eg. '/1/')?"
        )
    elif isinstance(model.policy, Specific):
        for version in sorted(model.policy.versions - versions.keys()):
            yield (
                f"Version {version} of servable {model.name}, which was requested to be served "
                "as a 'specific' version in the servable's policy, was not found in the file system"
            )
