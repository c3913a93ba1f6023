"""From a bucket into the running model server: lay out a tree, load its models."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from cloudserve.errors import CloudserveError, ModelError

from ..models import Manager
from ..runtime.options import SessionOptions
from ..runtime.serving_image import ServingImage
from ..runtime.session import load_model
from .faults.injected import fail_if_planned
from .objects.store.errors import NoSuchBucketError
from .objects.store.store import ObjectStore

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Where model files lie in a bucket: below a folder's key, or one object."""

    bucket: str
    key: str

    def usage(self, store: ObjectStore) -> tuple[int, int]:
        """Return how many objects lie under the key, and their bytes; (0, 0) without bucket."""
        try:
            return store.usage(self.bucket, self.key)
        except NoSuchBucketError:
            return 0, 0

    def holds(self, store: ObjectStore, name: str) -> bool:
        """Say whether there is an object of this name below the key."""
        try:
            return store.find(self.bucket, self.key + name) is not None
        except NoSuchBucketError:
            return False


@dataclass(frozen=True, slots=True)
class Servable:
    """One SavedModel version to load under a name."""

    name: str
    version: int
    path: Path
    image: ServingImage | None = None
    """The image that serves it; None for cloudserve's own server in an own image."""


_AT_ONCE = 3
"""Loads at the same time: each keeps a thread of asyncio's pool, which has at least five."""

Lay = Callable[[Path], Iterable[Servable]]
"""Lays model files into a folder and says what to load; raises CloudserveError. May block."""


class Guest(Protocol):
    """What serves under a key without being a model of the server's."""

    async def stop(self) -> None:
        """End it."""
        ...


@dataclass(slots=True)
class _Loaded:
    folder: Path
    servables: tuple[Servable, ...]
    guest: Guest | None = None
    holders: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class Serving:
    """The models that the offline clouds keep loaded, by a key of their own choice.

    A load is atomic: either every model of the tree serves, or none does and nothing is left.
    """

    def __init__(
        self, manager: Manager, folder: Path, session: SessionOptions | None = None
    ) -> None:
        self._manager = manager
        self._load_model = partial(load_model, options=session)
        self._folder = folder
        self._loaded: dict[str, _Loaded] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def prepare(self) -> None:
        """Start with an empty folder; what an earlier process fetched is of no use."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    async def load(self, key: str, lay: Lay) -> None:
        """Lay out model files and load the models; raises CloudserveError with the reason."""
        fail_if_planned()
        async with self._turns:
            await self._load(key, lay)

    async def _load(self, key: str, lay: Lay) -> None:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._folder))
        done: list[Servable] = []
        try:
            for servable in await _to_its_end(asyncio.to_thread(lambda: tuple(lay(folder)))):
                name, version = servable.name, servable.version
                image = servable.image
                load = partial(self._load_model, image=image) if image else None
                await _to_its_end(self._manager.load(name, version, servable.path, load=load))
                done.append(servable)
        except BaseException as error:
            await self._discard(_Loaded(folder, tuple(done)))
            if isinstance(error, ModelError):
                # Where the files lay here tells nobody anything.
                raise ModelError(error.message.replace(f"{folder}/", "")) from error
            raise
        self._loaded[key] = _Loaded(folder, tuple(done))

    async def host(self, key: str, start: Callable[[Path], Awaitable[Guest]]) -> None:
        """Start a guest with a folder of its own, and keep it; raises as `start`."""
        fail_if_planned()
        async with self._turns:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._folder))
            try:
                guest = await start(folder)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                raise
        self._loaded[key] = _Loaded(folder, (), guest)

    def guest(self, key: str) -> Guest | None:
        """Return the guest of a key; None for models, and for nothing."""
        loaded = self._loaded.get(key)
        return loaded.guest if loaded else None

    def is_loaded(self, key: str) -> bool:
        """Say whether anything serves under a key."""
        return key in self._loaded

    async def close(self) -> None:
        """Stop every guest; models are their manager's to free."""
        for loaded in self._loaded.values():
            if loaded.guest is not None:
                await loaded.guest.stop()

    async def unload(self, key: str) -> None:
        """Free a key's models and their files once nobody holds them; nothing there is no error."""
        loaded = self._loaded.pop(key, None)
        if loaded is None:
            return
        while loaded.holders:
            await loaded.idle.wait()
        await self._discard(loaded)

    @contextmanager
    def hold(self, key: str) -> Iterator[tuple[Servable, ...]]:
        """Keep a key's models from being freed while the block runs; () where nothing is loaded.

        A request holds them from the moment it chose them until it is answered, so that none
        fails because its model was replaced while it waited for a thread.
        """
        loaded = self._loaded.get(key)
        if loaded is None:
            yield ()
            return
        loaded.holders += 1
        loaded.idle.clear()
        try:
            yield loaded.servables
        finally:
            loaded.holders -= 1
            if not loaded.holders:
                loaded.idle.set()

    def loaded(self, key: str) -> tuple[Servable, ...]:
        """Return what serves under a key, in the order it was laid out; () for nothing."""
        loaded = self._loaded.get(key)
        return loaded.servables if loaded else ()

    async def _discard(self, loaded: _Loaded) -> None:
        if loaded.guest is not None:
            await loaded.guest.stop()
        for servable in loaded.servables:
            await self._manager.unload(servable.name, servable.version)
        await asyncio.to_thread(shutil.rmtree, loaded.folder, ignore_errors=True)


async def _to_its_end(work: Coroutine[None, None, Result]) -> Result:
    """Wait for work that runs in a thread, even when cancelled.

    A thread cannot be cancelled, and must not write into a folder that is being removed.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def reason(error: Exception) -> str:
    """Return why a load failed in one line; an unforeseen error goes to the log with its trace."""
    if isinstance(error, CloudserveError):
        return error.message
    logger.error("a model could not be loaded", exc_info=error)
    return f"{type(error).__name__}: {error}"
