"""The versions in memory: loaded and unloaded while requests hold them by counted handles.

A version is handed out from the moment its load succeeded until its unload is asked for, and is
closed when the last handle is given back: no request sees a closed model. A version that ended
stays listed with its reason, as in TensorFlow Serving. Names are free strings.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar, TypeVarTuple

from cloudserve.errors import ConflictError, ModelError

from ..runtime.types import LoadedModel, LoadError
from ..status import Code, StatusError
from .states import State, VersionState

Loader = Callable[[Path], LoadedModel]
"""Loads the SavedModel in a folder, or raises ModelError."""

Again = Callable[[ModelError], Awaitable[bool]]
"""Called when a load has failed: waits as long as is right, and says whether to try once more."""

_Arguments = TypeVarTuple("_Arguments")
_T = TypeVar("_T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Servable:
    """A version of a model, ready to run."""

    name: str
    version: int
    model: LoadedModel


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it is at the moment, and how many requests hold it."""

    name: str
    status: VersionState
    model: LoadedModel | None
    """None while it is not in memory."""
    handles: int
    path: Path | None = None


def _running() -> Future[None]:
    """Return a future that is not cancelled with the coroutine that waits for it."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(slots=True)
class _Entry:
    """A version and who holds it. Every field is guarded by the manager's lock."""

    status: VersionState
    servable: Servable | None = None
    handles: int = 0
    path: Path | None = None
    is_announced: bool = False
    """Whether it is listed at START, and its load is still to be asked for."""
    drained: Future[None] = field(default_factory=_running)


_Which = tuple[str, int | None, str | None]
_Acquire = Callable[[str, int | None, str | None], tuple[_Entry, Servable]]


class _Handle(AbstractContextManager[Servable]):
    """A counted handle, from the block's begin to its end; a generator takes twice the time."""

    __slots__ = ("_acquire", "_entry", "_release", "_which")

    def __init__(self, acquire: _Acquire, release: Callable[[_Entry], None], which: _Which) -> None:
        self._acquire = acquire
        self._release = release
        self._which = which

    def __enter__(self) -> Servable:
        self._entry, servable = self._acquire(*self._which)
        return servable

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._release(self._entry)


class Manager:
    """Loads, hands out and unloads versions of models. Every method may be called by any thread."""

    def __init__(self, load: Loader, executor: Executor | None = None) -> None:
        """Take the function that loads, and where to run it: else asyncio's own threads."""
        self._load = load
        self._executor = executor
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, _Entry]] = {}
        self._latest: dict[str, _Entry] = {}
        """The highest AVAILABLE version by model, so that no request looks at all that ended."""
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def announce(self, name: str, version: int, path: Path) -> None:
        """List a version at START, whose load follows. Raises ConflictError as `load` does."""
        self._start(name, version, path).is_announced = True

    async def load(
        self,
        name: str,
        version: int,
        path: Path,
        again: Again | None = None,
        load: Loader | None = None,
    ) -> None:
        """Load a version in a thread, with `load` in the place of the manager's own loader.

        At return it is AVAILABLE.

        While `again` says so it is tried once more, LOADING all the time. Raises ModelError when
        it does not load, which leaves it at END with that error, and ConflictError when it is
        loaded or loading. Cancelling the wait does not stop the load.
        """
        entry = self._start(name, version, path)
        await self._unbroken(self._load_until(entry, name, path, again, load or self._load))

    async def unload(self, name: str, version: int) -> None:
        """Stop handing out a version, wait until no request holds it, and close it.

        Raises StatusError (NOT_FOUND) when it is not AVAILABLE. Cancelling the wait does not stop
        the unload.
        """
        await self._unbroken(self._drain(name, self._stop(name, version)))

    async def replace(self, name: str, version: int, path: Path) -> None:
        """Load an AVAILABLE version again, with the manager's loader, and hand it out from then on.

        The version is AVAILABLE all the time; its old model is closed when no request holds it. An
        unload that is asked for meanwhile has its way.
        Raises ModelError when it does not load, which leaves the old model, and StatusError
        (NOT_FOUND) when the version is not AVAILABLE. Cancelling the wait does not stop the load.
        """
        await self._unbroken(self._replace(name, version, path))

    async def unload_all(self) -> None:
        """Unload every version that is AVAILABLE."""
        with self._lock:
            held = [(n, v) for n, vs in self._models.items() for v in vs if _is_ready(vs[v])]
        await asyncio.gather(*(self.unload(name, version) for name, version in held))

    def handle(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> AbstractContextManager[Servable]:
        """Hold a version while the block runs: that one, that label's, or the highest AVAILABLE.

        Raises StatusError in TensorFlow Serving's words: NOT_FOUND for a model or version that
        is not there, INVALID_ARGUMENT for a label.
        """
        return _Handle(self._acquire, self._release, (name, version, label))

    def states(self, name: str) -> tuple[VersionState, ...]:
        """Return the state of every version ever asked for, highest version first."""
        with self._lock:
            entries = self._models.get(name, {})
            return tuple(entries[version].status for version in sorted(entries, reverse=True))

    def versions(self) -> tuple[Version, ...]:
        """Return every version ever asked for, of every model."""
        with self._lock:
            return tuple(
                Version(name, e.status, e.servable.model if e.servable else None, e.handles, e.path)
                for name, entries in self._models.items()
                for e in entries.values()
            )

    def label(self, labels: Mapping[str, Mapping[str, int]]) -> None:
        """Set what the labels stand for, by model; those of before are forgotten."""
        self._labels = {name: dict(versions) for name, versions in labels.items()}

    def labels(self, name: str) -> Mapping[str, int]:
        """Return a model's labels and their versions."""
        return self._labels.get(name, {})

    def available(self) -> tuple[str, ...]:
        """Return the names of the models that have an AVAILABLE version, sorted."""
        with self._lock:
            models = self._models.items()
            return tuple(sorted(n for n, vs in models if any(map(_is_ready, vs.values()))))

    def _start(self, name: str, version: int, path: Path) -> _Entry:
        with self._lock:
            versions = self._models.setdefault(name, {})
            old = versions.get(version)
            if old is not None and old.is_announced:
                old.is_announced = False
                return old
            if old is not None and old.status.state is not State.END:
                raise ConflictError(
                    f"version {version} of model {name} is {old.status.state.name} already",
                    hint="unload it first",
                )
            entry = versions[version] = _Entry(VersionState(version, State.START), path=path)
            return entry

    async def _unbroken(self, work: Coroutine[None, None, None]) -> None:
        """Do work that goes on when who waits for it is cancelled."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _in_thread(self, work: Callable[[*_Arguments], _T], *arguments: *_Arguments) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, work, *arguments)

    async def _load_until(
        self, entry: _Entry, name: str, path: Path, again: Again | None, load: Loader
    ) -> None:
        self._set(entry, State.LOADING)
        try:
            while failure := await self._in_thread(self._attempt, entry, name, path, load):
                if again is None or not await again(failure):
                    break
        except BaseException as error:
            # A defect or a missing package: the version must not stay LOADING for ever.
            self._set(entry, State.END, Code.UNKNOWN, str(error))
            raise
        if failure is not None:
            code = failure.code if isinstance(failure, LoadError) else Code.UNKNOWN
            self._set(entry, State.END, code, failure.message)
            raise failure

    def _attempt(self, entry: _Entry, name: str, path: Path, load: Loader) -> ModelError | None:
        version = entry.status.version
        try:
            model = load(path)
        except ModelError as error:
            return error
        with self._lock:
            entry.servable = Servable(name, version, model)
            entry.status = VersionState(version, State.AVAILABLE)
            self._find_latest(name)
        logger.info("version %d of model %s is available", version, name)
        return None

    async def _replace(self, name: str, version: int, path: Path) -> None:
        with self._lock:
            old = self._find(name, version)
        if old is None:
            raise _not_found(name, version)
        model = await self._in_thread(self._load, path)
        if not self._exchange(old, _Entry(old.status, Servable(name, version, model), path=path)):
            await self._in_thread(model.close)
        else:
            await self._close(old)

    def _exchange(self, old: _Entry, new: _Entry) -> bool:
        """Put an entry in the place of another; False if that was unloaded meanwhile."""
        assert new.servable is not None
        name, version = new.servable.name, new.servable.version
        with self._lock:
            if not _is_ready(old):
                return False
            self._models[name][version] = new
            self._find_latest(name)
            old.status = VersionState(version, State.UNLOADING)
            idle = old.handles == 0
        logger.info("version %d of model %s was loaded again", version, name)
        if idle:
            old.drained.set_result(None)
        return True

    def _set(self, entry: _Entry, state: State, code: Code = Code.OK, message: str = "") -> None:
        with self._lock:
            entry.status = VersionState(entry.status.version, state, code, message)

    def _acquire(
        self, name: str, version: int | None, label: str | None
    ) -> tuple[_Entry, Servable]:
        if label is not None:
            version = self.labels(name).get(label)
            if version is None:
                raise StatusError(
                    Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}"
                )
        with self._lock:
            entry = self._find(name, version)
            if entry is None or entry.servable is None:
                raise _not_found(name, version)
            entry.handles += 1
            return entry, entry.servable

    def _find(self, name: str, version: int | None) -> _Entry | None:
        """Return the entry if it is AVAILABLE. The lock is held."""
        if version is None:
            return self._latest.get(name)
        entry = self._models.get(name, {}).get(version)
        return entry if entry is not None and _is_ready(entry) else None

    def _find_latest(self, name: str) -> None:
        """Note the highest AVAILABLE version anew. The lock is held."""
        ready = [entry for entry in self._models[name].values() if _is_ready(entry)]
        if ready:
            self._latest[name] = max(ready, key=lambda entry: entry.status.version)
        else:
            self._latest.pop(name, None)

    def _release(self, entry: _Entry) -> None:
        with self._lock:
            entry.handles -= 1
            drained = entry.handles == 0 and entry.status.state is State.UNLOADING
        if drained:
            entry.drained.set_result(None)

    def _stop(self, name: str, version: int) -> _Entry:
        with self._lock:
            entry = self._find(name, version)
            if entry is None:
                raise _not_found(name, version)
            entry.status = VersionState(version, State.UNLOADING)
            self._find_latest(name)
            idle = entry.handles == 0
        if idle:
            entry.drained.set_result(None)
        return entry

    async def _drain(self, name: str, entry: _Entry) -> None:
        await self._close(entry)
        logger.info("version %d of model %s is unloaded", entry.status.version, name)

    async def _close(self, entry: _Entry) -> None:
        """Close an entry's model once no request holds it."""
        await asyncio.wrap_future(entry.drained)
        servable, entry.servable = entry.servable, None
        assert servable is not None
        try:
            await self._in_thread(servable.model.close)
        finally:
            self._set(entry, State.END)


def _is_ready(entry: _Entry) -> bool:
    return entry.status.state is State.AVAILABLE


def _not_found(name: str, version: int | None) -> StatusError:
    which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return StatusError(Code.NOT_FOUND, f"Servable not found for request: {which}")
