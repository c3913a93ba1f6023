"""Models on their way from a bucket into the running model server."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from cloudserve.errors import CloudserveError, MissingExtraError, ModelError

from ..models import Manager
from ..runtime.capi.library import library
from ..runtime.loading.serving_image import ServingImage
from ..runtime.options import SessionOptions
from ..runtime.session import load_model
from ..tasks import Usage, to_completion
from ..warmup import warmed
from .faults.injected import raise_injected
from .objects.store.errors import NoSuchBucketError
from .objects.store.store import ObjectStore

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """The location of model files in a bucket: a folder's key, or an object's."""

    bucket: str
    key: str

    def usage(self, store: ObjectStore) -> tuple[int, int]:
        """Count the objects under the key, and their bytes; (0, 0) without the bucket."""
        try:
            return store.usage(self.bucket, self.key)
        except NoSuchBucketError:
            return 0, 0

    def holds(self, store: ObjectStore, name: str) -> bool:
        """Return whether there is an object of this name below the key."""
        try:
            return store.find(self.bucket, self.key + name) is not None
        except NoSuchBucketError:
            return False


@dataclass(frozen=True, slots=True)
class Servable:
    """A SavedModel version to load under a name."""

    name: str
    version: int
    path: Path
    image: ServingImage | None = None
    """The image that serves it; None for cloudserve's own server in a custom image."""


_CONCURRENT_LOADS = 3
"""Concurrent loads: each uses a thread of asyncio's pool, which has at least five."""

StageModels = Callable[[Path], Iterable[Servable]]
"""Writes model files to a folder and returns what to load; raises CloudserveError. May block."""


class HostedProcess(Protocol):
    """A process that serves a key, instead of models in this server."""

    async def stop(self) -> None:
        """Stop the process."""
        ...


@dataclass(slots=True)
class _Loaded:
    folder: Path
    servables: tuple[Servable, ...]
    guest: HostedProcess | None = None
    usage: Usage = field(default_factory=Usage)


class ModelHosting:
    """The models that the offline clouds have loaded, by a key that the caller chooses.

    A load is atomic: either every model of the key serves, or none is left.
    """

    def __init__(
        self, manager: Manager, folder: Path, session: SessionOptions | None = None
    ) -> None:
        self._manager = manager
        self._load_model = partial(load_model, options=session)
        self._folder = folder
        self._loaded: dict[str, _Loaded] = {}
        self._turns = asyncio.Semaphore(_CONCURRENT_LOADS)

    def prepare(self) -> None:
        """Empty the folder; files of an earlier process are useless."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    async def load(self, key: str, stage: StageModels) -> None:
        """Fetch model files and load the models; raises CloudserveError with the reason."""
        raise_injected()
        async with self._turns:
            await self._load(key, stage)

    async def _load(self, key: str, stage: StageModels) -> None:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._folder))
        done: list[Servable] = []
        try:
            for servable in await to_completion(asyncio.to_thread(lambda: tuple(stage(folder)))):
                name, version = servable.name, servable.version
                image = servable.image
                # As the containers do, which run TensorFlow Serving with its default flags.
                load = warmed(partial(self._load_model, image=image)) if image else None
                await to_completion(self._manager.load(name, version, servable.path, load=load))
                done.append(servable)
        except BaseException as error:
            await self._discard(_Loaded(folder, tuple(done)))
            if isinstance(error, ModelError):
                # The local folder means nothing to a client.
                raise ModelError(error.message.replace(f"{folder}/", "")) from error
            raise
        self._loaded[key] = _Loaded(folder, tuple(done))

    async def host(self, key: str, start: Callable[[Path], Awaitable[HostedProcess]]) -> None:
        """Start a process with its own folder, and host it; raises as `start`."""
        raise_injected()
        async with self._turns:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._folder))
            try:
                guest = await start(folder)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                raise
        self._loaded[key] = _Loaded(folder, (), guest)

    def guest(self, key: str) -> HostedProcess | None:
        """Return the process of a key; None for models, or if nothing is hosted."""
        loaded = self._loaded.get(key)
        return loaded.guest if loaded else None

    def is_loaded(self, key: str) -> bool:
        """Return whether a model or process serves a key."""
        return key in self._loaded

    async def close(self) -> None:
        """Stop every process; the manager frees the models."""
        for loaded in self._loaded.values():
            if loaded.guest is not None:
                await loaded.guest.stop()

    async def unload(self, key: str) -> None:
        """Free a key's models and files once no request uses them; an unknown key is ignored."""
        loaded = self._loaded.pop(key, None)
        if loaded is None:
            return
        await loaded.usage.unused()
        await self._discard(loaded)

    @contextmanager
    def hold(self, key: str) -> Iterator[tuple[Servable, ...]]:
        """Keep a key's models loaded while the block runs; yields () if nothing is loaded.

        A request holds its models until it is answered, so it does not fail if they are replaced
        while it waits for a thread.
        """
        loaded = self._loaded.get(key)
        if loaded is None:
            yield ()
            return
        with loaded.usage.hold():
            yield loaded.servables

    def loaded(self, key: str) -> tuple[Servable, ...]:
        """Return the servables under a key, in loading order; () if nothing is loaded."""
        loaded = self._loaded.get(key)
        return loaded.servables if loaded else ()

    async def _discard(self, loaded: _Loaded) -> None:
        if loaded.guest is not None:
            await loaded.guest.stop()
        for servable in loaded.servables:
            await self._manager.unload(servable.name, servable.version)
        await asyncio.to_thread(shutil.rmtree, loaded.folder, ignore_errors=True)


def reason(error: Exception) -> str:
    """Return why a load failed, in one line; an unexpected error is logged with its traceback."""
    if isinstance(error, CloudserveError):
        return error.message
    logger.error("a model could not be loaded", exc_info=error)
    return f"{type(error).__name__}: {error}"


async def open_tensorflow() -> None:
    """Open TensorFlow ahead of the first model, whose load reports a missing TensorFlow."""
    try:
        await asyncio.to_thread(library)
    except MissingExtraError as error:
        logger.warning("%s; %s", error.message, error.hint)
