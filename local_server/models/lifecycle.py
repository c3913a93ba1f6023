"""Transitions of a manager's versions to the aspired ones, without a gap in availability.

Level-triggered: whenever the aspired versions change or a load or unload ends, the policy of
`transitions` is applied again. Loads and their retries run concurrently, so a version that fails
to load delays no other (in TensorFlow Serving it does by default: `num_load_threads`).

A version whose files or path change while it is served is loaded again, and its old model serves
until then. In TensorFlow Serving a version never changes: one that was read while a file was still
being copied stays incomplete.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cloudserve.errors import CloudserveError, ModelError

from .discovery import Fingerprint, fingerprint, has_model
from .manager import Again, Manager
from .states import State
from .transitions import Action, Candidate, Load, Unload, next_action

logger = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retry:
    """The number of retries of a failed load, and the seconds between them."""

    times: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A version that did not load, and the state of its files at the attempt."""

    version: int
    path: Path
    error: Exception
    files: Fingerprint


@dataclass(frozen=True, slots=True)
class _Source:
    """The files of a version."""

    path: Path
    files: Fingerprint


@dataclass(slots=True)
class _Stream:
    """A model's versions: aspired, in transition, failed."""

    aspired: Mapping[int, Path] = field(default_factory=dict)
    moving: dict[int, State] = field(default_factory=dict)
    failed: dict[int, Failure] = field(default_factory=dict)
    pausing: dict[int, Failure] = field(default_factory=dict)
    """Versions whose load failed and will be tried again."""
    tried: dict[int, _Source] = field(default_factory=dict)
    """The files with which the last load of a version started."""
    changed_to: dict[int, _Source] = field(default_factory=dict)
    """The changed files of a served version, as of the last check."""
    reloading: set[int] = field(default_factory=set)


class Lifecycle:
    """Loads the aspired versions and unloads the others. For one event loop."""

    def __init__(
        self, manager: Manager, retry: Retry | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._manager = manager
        self._retry = retry or Retry()
        self._sleep = sleep
        self._streams: dict[str, _Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.changed = Signal()
        """Notified after every transition."""

    def aspire(self, name: str, versions: Mapping[int, Path]) -> None:
        """Set the aspired versions of a model; the transitions continue in the background.

        A failed version is tried again after it was not aspired, or if its path changes.
        """
        stream = self._streams.setdefault(name, _Stream())
        stream.aspired = dict(versions)
        for failure in tuple(stream.failed.values()):
            if versions.get(failure.version) != failure.path:
                del stream.failed[failure.version]
        kept = versions.keys() | stream.moving.keys() | stream.reloading
        stream.tried = {version: one for version, one in stream.tried.items() if version in kept}
        self._step(name, stream)

    async def recheck(self) -> None:
        """Load versions again whose files have changed since they failed or were loaded.

        A version that failed while it was copied need not wait for its next attempt. A served
        version is loaded again when two consecutive checks find the same changed files.
        """
        for name, stream in tuple(self._streams.items()):
            await self._reload_changed(name, stream)
            failures = (*stream.failed.values(), *stream.pausing.values())
            changed = await asyncio.to_thread(_changed, failures) if failures else ()
            for failure in changed:
                for kept in (stream.failed, stream.pausing):
                    if kept.get(failure.version) is failure:
                        del kept[failure.version]
            if changed:
                self._step(name, stream)

    def failures(self, name: str) -> tuple[Failure, ...]:
        """Return the aspired versions of a model that did not load, highest version first."""
        stream = self._streams.get(name, _Stream())
        return tuple(stream.failed[version] for version in sorted(stream.failed, reverse=True))

    def is_pending(self, name: str) -> bool:
        """Return whether a model has no available version, but one that may become available."""
        stream = self._streams.get(name, _Stream())
        return not self.is_available(name) and bool(stream.aspired.keys() - stream.failed.keys())

    def is_settled(self, name: str) -> bool:
        """Return whether a model has an available version, or all aspired ones have failed."""
        stream = self._streams.get(name, _Stream())
        aspired = set(stream.aspired)
        return self.is_available(name) or (bool(aspired) and aspired <= set(stream.failed))

    def is_available(self, name: str) -> bool:
        """Return whether a model has an available version."""
        return any(state.state is State.AVAILABLE for state in self._manager.states(name))

    async def close(self) -> None:
        """Unload everything; returns after the last request has released its model."""
        for name in tuple(self._streams):
            self.aspire(name, {})
        await self.changed.until(lambda: not self._tasks)

    def _step(self, name: str, stream: _Stream) -> None:
        while action := next_action(tuple(self._candidates(name, stream))):
            self._begin(name, stream, action)
        self.changed.notify()

    def _candidates(self, name: str, stream: _Stream) -> Iterator[Candidate]:
        states = {state.version: state.state for state in self._manager.states(name)}
        for version in states.keys() | stream.aspired.keys():
            is_aspired = version in stream.aspired
            state = stream.moving.get(version, states.get(version, State.END))
            if state is State.END and version not in stream.failed:
                state = State.START
            # A failed version counts as aspired: the served one stays until a better one loads.
            if is_aspired or state not in {State.START, State.END}:
                yield Candidate(version, state, is_aspired)

    def _begin(self, name: str, stream: _Stream, action: Action) -> None:
        version = action.version
        match action:
            case Load():
                stream.moving[version] = State.LOADING
                work = partial(self._load, name, version, stream.aspired[version])
            case Unload():
                stream.moving[version] = State.UNLOADING
                work = partial(self._manager.unload, name, version)
        self._tasks.add(asyncio.ensure_future(self._finish(name, stream, version, work)))

    async def _finish(
        self, name: str, stream: _Stream, version: int, work: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            await work()
        except CloudserveError as error:
            logger.warning("version %d of model %s: %s", version, name, error.message)
        except Exception:
            logger.exception("version %d of model %s", version, name)
        finally:
            del stream.moving[version]
            self._end_task(name, stream)

    def _end_task(self, name: str, stream: _Stream) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.discard(task)
        self._step(name, stream)

    async def _reload_changed(self, name: str, stream: _Stream) -> None:
        available = {s.version for s in self._manager.states(name) if s.state is State.AVAILABLE}
        watched = available & stream.aspired.keys() & stream.tried.keys() - stream.reloading
        paths = {version: stream.aspired[version] for version in watched}
        now = await asyncio.to_thread(_read_sources, paths) if paths else {}
        for version, source in now.items():
            is_changed = source != stream.tried[version]
            if is_changed and source == stream.changed_to.get(version):
                self._tasks.add(asyncio.ensure_future(self._reload(name, stream, version, source)))
                stream.reloading.add(version)
        stream.changed_to = now

    async def _reload(self, name: str, stream: _Stream, version: int, source: _Source) -> None:
        stream.tried[version] = source
        try:
            await self._manager.replace(name, version, source.path)
        except CloudserveError as error:
            logger.warning(
                "the files of version %d of model %s changed and cannot be loaded, it is served as "
                "it was: %s",
                version,
                name,
                error.message,
            )
        except Exception:
            logger.exception("version %d of model %s", version, name)
        finally:
            stream.reloading.discard(version)
            self._end_task(name, stream)

    async def _load(self, name: str, version: int, path: Path) -> None:
        stream = self._streams[name]
        # Status requests list the version immediately, before its files are read.
        self._manager.announce(name, version, path)
        stream.tried[version] = _Source(path, await asyncio.to_thread(fingerprint, path))
        try:
            await self._manager.load(name, version, path, self._again(name, version, path))
        except Exception as error:
            # If it is no longer aspired, it may return, and must be tried then.
            if stream.aspired.get(version) == path:
                files = stream.tried[version].files
                stream.failed[version] = Failure(version, path, error, files)
            raise

    def _again(self, name: str, version: int, path: Path) -> Again:
        """Return the wait between attempts; attempts after a change of the files do not count.

        A version that is aspired at another path in the meantime is not tried at this one again.
        """
        left, stream, logged = self._retry.times, self._streams[name], ""

        def is_aspired() -> bool:
            return stream.aspired.get(version) == path

        async def again(failure: ModelError) -> bool:
            nonlocal left, logged
            left -= 1
            if left < 0 or not is_aspired():
                return False
            logger.log(
                logging.DEBUG if failure.message == logged else logging.WARNING,
                "version %d of model %s did not load, %d attempts are left: %s",
                version,
                name,
                left + 1,
                failure.message,
            )
            logged = failure.message
            stream.pausing[version] = Failure(version, path, failure, stream.tried[version].files)
            await self._pause(lambda: not is_aspired() or version not in stream.pausing)
            if stream.pausing.pop(version, None) is None:
                left += 1
                stream.tried[version] = _Source(path, await asyncio.to_thread(fingerprint, path))
            if not is_aspired():
                logger.info("loading version %d of model %s was cancelled", version, name)
            return is_aspired()

        return again

    async def _pause(self, is_over: Callable[[], bool]) -> None:
        """Wait for the time between attempts, or until the next one is not needed."""
        waits = {
            asyncio.ensure_future(self._sleep(max(self._retry.seconds, 0.0))),
            asyncio.ensure_future(self.changed.until(is_over)),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _read_sources(paths: Mapping[int, Path]) -> dict[int, _Source]:
    """Return the files of versions, without those that have no model."""
    return {
        version: _Source(path, fingerprint(path))
        for version, path in paths.items()
        if has_model(path)
    }


def _changed(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    return tuple(each for each in failures if fingerprint(each.path) != each.files)


class Signal:
    """Wakes the waiters of a condition whenever it may have changed. For one loop."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        """Let every waiter check its condition."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is checked now and after every `notify`."""
        while not holds():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
