"""Brings a manager's versions to those that are aspired, without a gap in availability.

Level-triggered: whenever the aspired versions change or a load or unload ends, the policy of
`transitions` is asked again. Loads and their retries run beside each other, so a version that
does not load holds up no other (in TensorFlow Serving it does by default: `num_load_threads`).

A version whose files or path change while it is served is loaded again, and its old model serves
until then. In TensorFlow Serving a version never changes: one that was read while an asset was
copied stays as it was read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cloudserve.errors import CloudserveError, ModelError
from cloudserve.savedmodel.versions import is_saved_model

from .discovery import Fingerprint, fingerprint
from .manager import Again, Manager
from .signal import Signal
from .states import State
from .transitions import Action, Candidate, Load, Unload, next_action

logger = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a load that failed is tried again, and after how many seconds each time."""

    times: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A version that did not load, and what its files were when it was tried."""

    version: int
    path: Path
    error: Exception
    files: Fingerprint


@dataclass(frozen=True, slots=True)
class _Source:
    """What a version was loaded from, or would be."""

    path: Path
    files: Fingerprint


@dataclass(slots=True)
class _Stream:
    """A model's versions: those aspired, those in transition, those that failed."""

    aspired: Mapping[int, Path] = field(default_factory=dict)
    moving: dict[int, State] = field(default_factory=dict)
    failed: dict[int, Failure] = field(default_factory=dict)
    pausing: dict[int, Failure] = field(default_factory=dict)
    """Those whose load failed, until it is tried again."""
    tried: dict[int, _Source] = field(default_factory=dict)
    """What the last load of a version began with."""
    seen: dict[int, _Source] = field(default_factory=dict)
    """What a served version was changed to, as the last look at it found it."""
    reloading: set[int] = field(default_factory=set)


class Lifecycle:
    """Loads what is aspired and unloads what no longer is. For one event loop."""

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
        """Set the versions that a model shall have; the transitions go on in the background.

        A version that failed is tried again once it was not aspired, or is at another path.
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
        """Load versions again whose files have changed since they failed, or were loaded.

        A version that was seen while it was copied need not wait for the next attempt in its turn.
        A change to what is served is waited out: it is loaded when two looks find the same files.
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
        """Say whether a model has no available version, and one that may become it."""
        stream = self._streams.get(name, _Stream())
        return not self.is_available(name) and bool(stream.aspired.keys() - stream.failed.keys())

    def is_settled(self, name: str) -> bool:
        """Say whether a model has an available version, or all that are aspired have failed."""
        stream = self._streams.get(name, _Stream())
        aspired = set(stream.aspired)
        return self.is_available(name) or (bool(aspired) and aspired <= set(stream.failed))

    def is_available(self, name: str) -> bool:
        """Say whether a model has an available version."""
        return any(state.state is State.AVAILABLE for state in self._manager.states(name))

    async def close(self) -> None:
        """Unload everything; returns when the last request has given its model back."""
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
            # One that failed counts as aspired: what is served stays until a better one is.
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
        now = await asyncio.to_thread(_look, paths) if paths else {}
        for version, source in now.items():
            is_changed = source != stream.tried[version]
            if is_changed and source == stream.seen.get(version):
                self._tasks.add(asyncio.ensure_future(self._reload(name, stream, version, source)))
                stream.reloading.add(version)
        stream.seen = now

    async def _reload(self, name: str, stream: _Stream, version: int, source: _Source) -> None:
        stream.tried[version] = source
        try:
            await self._manager.replace(name, version, source.path)
        except CloudserveError as error:
            logger.warning(
                "the files of version %d of model %s changed and cannot be loaded, it is served as "
                "it was: %s", version, name, error.message,
            )  # fmt: skip
        except Exception:
            logger.exception("version %d of model %s", version, name)
        finally:
            stream.reloading.discard(version)
            self._end_task(name, stream)

    async def _load(self, name: str, version: int, path: Path) -> None:
        stream = self._streams[name]
        # Status requests list the version at once, not only when its files were looked at.
        self._manager.announce(name, version, path)
        stream.tried[version] = _Source(path, await asyncio.to_thread(fingerprint, path))
        try:
            await self._manager.load(name, version, path, self._again(name, version, path))
        except Exception as error:
            # Where it is not aspired meanwhile it may come back, and shall then be tried.
            if stream.aspired.get(version) == path:
                files = stream.tried[version].files
                stream.failed[version] = Failure(version, path, error, files)
            raise

    def _again(self, name: str, version: int, path: Path) -> Again:
        """Return what waits between attempts; those after a change of the files do not count.

        A version that is aspired at another path meanwhile is not tried at this one again.
        """
        left, stream, told = self._retry.times, self._streams[name], ""

        def is_aspired() -> bool:
            return stream.aspired.get(version) == path

        async def again(failure: ModelError) -> bool:
            nonlocal left, told
            left -= 1
            if left < 0 or not is_aspired():
                return False
            logger.log(
                logging.DEBUG if failure.message == told else logging.WARNING,
                "version %d of model %s did not load, %d attempts are left: %s",
                version, name, left + 1, failure.message,
            )  # fmt: skip
            told = failure.message
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
        """Wait for the time between attempts, or for what makes the next one needless."""
        waits = {
            asyncio.ensure_future(self._sleep(max(self._retry.seconds, 0.0))),
            asyncio.ensure_future(self.changed.until(is_over)),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _look(paths: Mapping[int, Path]) -> dict[int, _Source]:
    """Return what versions would be loaded from, those without a SavedModel left out."""
    return {
        version: _Source(path, fingerprint(path))
        for version, path in paths.items()
        if is_saved_model(path)
    }


def _changed(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    return tuple(each for each in failures if fingerprint(each.path) != each.files)
