"""The versions in memory: loaded and unloaded, and held by requests through counted handles.

Requests get a version from the end of its load until its unload starts. It is closed when the last
handle is released: no request uses a closed model. A version that ended stays listed with its
reason, as in TensorFlow Serving. Names are free strings.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TypeVar, TypeVarTuple

from cloudserve.errors import ConflictError, ModelError

from ..runtime.types import LoadedModel, LoadError
from ..status import Code, StatusError
from .states import State, VersionState

Loader = Callable[[Path], LoadedModel]
"""Loads the SavedModel in a folder, or raises ModelError."""

Again = Callable[[ModelError], Awaitable[bool]]
"""Called when a load has failed: waits for the retry, and returns whether to retry."""

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
    """The current state of a version, and how many requests hold it."""

    name: str
    status: VersionState
    model: LoadedModel | None
    """None while it is not in memory."""
    handles: int
    path: Path | None = None
    load_seconds: float | None = field(default=None, compare=False)
    """How long its last load took; None until it ends."""


def _running() -> Future[None]:
    """Return a future that is not cancelled with the coroutine that awaits it."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(slots=True)
class _Entry:
    """A version and its handles. The manager's lock guards every field."""

    status: VersionState
    servable: Servable | None = None
    handles: int = 0
    path: Path | None = None
    load_seconds: float | None = None
    is_announced: bool = False
    """Whether it is listed at START before its load was requested."""
    drained: Future[None] = field(default_factory=_running)


class Handle:
    """A counted handle on a version, for a block or until it is released."""

    __slots__ = ("_entry", "_release", "servable")

    def __init__(
        self, entry: _Entry, servable: Servable, release: Callable[[_Entry], None]
    ) -> None:
        self._entry = entry
        self._release = release
        self.servable = servable

    def release(self) -> None:
        """Release the version, once."""
        self._release(self._entry)

    def __enter__(self) -> Servable:
        return self.servable

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._release(self._entry)


class Manager:
    """Loads, provides and unloads versions of models. All methods are thread-safe."""

    def __init__(self, load: Loader, executor: Executor | None = None) -> None:
        """Take the loader, and the executor to run it in; by default asyncio's threads."""
        self._load = load
        self._executor = executor
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, _Entry]] = {}
        self._latest: dict[str, _Entry] = {}
        """The highest AVAILABLE version by model, so that no request scans ended versions."""
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def announce(self, name: str, version: int, path: Path) -> None:
        """List a version at START before its load. Raises ConflictError as `load` does."""
        self._start(name, version, path).is_announced = True

    async def load(
        self,
        name: str,
        version: int,
        path: Path,
        again: Again | None = None,
        load: Loader | None = None,
    ) -> None:
        """Load a version in a thread, with `load` instead of the manager's own loader.

        It is AVAILABLE on return. While `again` returns true the load is retried, and the version
        stays LOADING. Raises ModelError if it does not load, which leaves it at END with that
        error, and ConflictError if it is loaded or loading. Cancelling the wait does not stop the
        load.
        """
        entry = self._start(name, version, path)
        await self._unbroken(self._load_until(entry, name, path, again, load or self._load))

    async def unload(self, name: str, version: int) -> None:
        """Withdraw a version, wait until no request holds it, and close it.

        Raises StatusError (NOT_FOUND) if it is not AVAILABLE. Cancelling the wait does not stop
        the unload.
        """
        await self._unbroken(self._drain(name, self._stop(name, version)))

    async def replace(self, name: str, version: int, path: Path) -> None:
        """Load an AVAILABLE version again with the manager's loader, and use it for new requests.

        The version stays AVAILABLE; its old model is closed when no request holds it. A concurrent
        unload takes precedence. Raises ModelError if it does not load, which leaves the old model,
        and StatusError (NOT_FOUND) if the version is not AVAILABLE. Cancelling the wait does not
        stop the load.
        """
        await self._unbroken(self._replace(name, version, path))

    async def unload_all(self) -> None:
        """Unload every version that is AVAILABLE."""
        with self._lock:
            held = [(n, v) for n, vs in self._models.items() for v in vs if _is_ready(vs[v])]
        await asyncio.gather(*(self.unload(name, version) for name, version in held))

    def handle(self, name: str, version: int | None = None, label: str | None = None) -> Handle:
        """Take a handle on a version: the given one, the label's, or the highest AVAILABLE one.

        Raises StatusError with TensorFlow Serving's texts: NOT_FOUND for an unknown model or
        version, INVALID_ARGUMENT for an unknown label.
        """
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
            return Handle(entry, entry.servable, self._release)

    def states(self, name: str) -> tuple[VersionState, ...]:
        """Return the state of every version ever requested, highest version first."""
        with self._lock:
            entries = self._models.get(name, {})
            return tuple(entries[version].status for version in sorted(entries, reverse=True))

    def versions(self) -> tuple[Version, ...]:
        """Return every version ever requested, of every model."""
        with self._lock:
            return tuple(
                _listed(name, entry)
                for name, entries in self._models.items()
                for entry in entries.values()
            )

    def label(self, labels: Mapping[str, Mapping[str, int]]) -> None:
        """Replace all labels; each model's labels name versions."""
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
        """Run `work` to completion even if the task that awaits it is cancelled."""
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
            # A defect or a missing package: the version must not stay LOADING.
            self._set(entry, State.END, Code.UNKNOWN, str(error))
            raise
        if failure is not None:
            code = failure.code if isinstance(failure, LoadError) else Code.UNKNOWN
            self._set(entry, State.END, code, failure.message)
            raise failure

    def _attempt(self, entry: _Entry, name: str, path: Path, load: Loader) -> ModelError | None:
        version = entry.status.version
        began = perf_counter()
        try:
            model = load(path)
        except ModelError as error:
            return error
        finally:
            entry.load_seconds = perf_counter() - began
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
        began = perf_counter()
        model = await self._in_thread(self._load, path)
        new = _Entry(old.status, Servable(name, version, model), path=path)
        new.load_seconds = perf_counter() - began
        if not self._exchange(old, new):
            await self._in_thread(model.close)
        else:
            await self._close(old)

    def _exchange(self, old: _Entry, new: _Entry) -> bool:
        """Replace an entry; return False if it was unloaded in the meantime."""
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

    def _find(self, name: str, version: int | None) -> _Entry | None:
        """Return the entry if it is AVAILABLE. The caller holds the lock."""
        if version is None:
            return self._latest.get(name)
        entry = self._models.get(name, {}).get(version)
        return entry if entry is not None and _is_ready(entry) else None

    def _find_latest(self, name: str) -> None:
        """Update the highest AVAILABLE version. The caller holds the lock."""
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


def _listed(name: str, entry: _Entry) -> Version:
    model = entry.servable.model if entry.servable else None
    return Version(name, entry.status, model, entry.handles, entry.path, entry.load_seconds)


def _is_ready(entry: _Entry) -> bool:
    return entry.status.state is State.AVAILABLE


def _not_found(name: str, version: int | None) -> StatusError:
    which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return StatusError(Code.NOT_FOUND, f"Servable not found for request: {which}")
