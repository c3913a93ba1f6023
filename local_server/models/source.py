"""Watches base paths and says which versions are aspired (FileSystemStoragePathSource).

Source: tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc; tfserving.md
4.2. A base path that is empty takes its versions away; one that is gone leaves them as they are.
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
"""Takes a model whose base path is a bucket's URL; the chosen versions are local then."""


class FileSystemSource:
    """Reads base paths when it is told to. For one event loop.

    `independent`: a model whose base path is missing is passed over; TensorFlow Serving updates
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
        """What kept models from being read in the last round, by name."""

    def configure(self, models: Iterable[ModelConfig]) -> None:
        """Watch these models from the next poll on; those no longer named are unloaded now."""
        before, self._models = self._models, tuple(models)
        for name in {model.name for model in before} - {model.name for model in self._models}:
            self._aspire(name, {})

    async def poll(self) -> None:
        """Read every base path once and aspire what is there."""
        async with self._polling:
            models = self._models
            found, problems = await asyncio.to_thread(self._read, models)
            if models is not self._models:
                return  # what was read is of a configuration that no longer holds
            self.problems = problems
            readable = [model for model in models if model.name in found]
            remarks = (_remarks(model, found[model.name]) for model in readable)
            self._rounds.tell([*problems.values(), *chain.from_iterable(remarks)])
            if problems and not self._independent:
                return
            for model in readable:
                self._take(model, found[model.name])

    def _read(
        self, models: tuple[ModelConfig, ...]
    ) -> tuple[dict[str, Mapping[int, Path]], dict[str, str]]:
        found: dict[str, Mapping[int, Path]] = {}
        problems: dict[str, str] = {}
        for model in models:
            try:
                found[model.name] = self._find(model)
            except OSError as error:
                problems[model.name] = (
                    f"Could not find base path {model.base_path} for servable {model.name} "
                    f"with error NOT_FOUND: {model.base_path}: {error.strerror}"
                )
        return found, problems

    def _find(self, model: ModelConfig) -> Mapping[int, Path]:
        folder = model.folder
        return self._remote(model) if folder is None else self._discover(folder)

    def _take(self, model: ModelConfig, found: Mapping[int, Path]) -> None:
        chosen = model.policy.choose(found)
        self._aspire(model.name, {version: found[version] for version in chosen})


def _remarks(model: ModelConfig, found: Mapping[int, Path]) -> Iterator[str]:
    if not found:
        yield (
            f"No versions of servable {model.name} found under base path {model.base_path}. "
            "Did you forget to name your leaf directory as a number (eg. '/1/')?"
        )
    elif isinstance(model.policy, Specific):
        for version in sorted(model.policy.versions - found.keys()):
            yield (
                f"Version {version} of servable {model.name}, which was requested to be served "
                "as a 'specific' version in the servable's policy, was not found in the file system"
            )
