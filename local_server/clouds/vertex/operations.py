"""Vertex AI's long-running operations, performed in the background.

A stored operation is also the journal of its work: it has the task, so an operation that a killed
emulator left is performed again from its start. The changes of an operation and its
end are one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from ...status import Code, StatusError
from ..background_tasks import BackgroundTasks, either
from ..faults.injected import raise_injected
from ..google.common.errors import ApiError
from ..latency import Latency, Step
from ..resources import Document
from .records import OPERATION, TYPE, Records, failed_precondition, new_id, not_found

logger = logging.getLogger(__name__)

EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}
_LONGEST_WAIT = 60.0


Free = Callable[[], Awaitable[None]]
"""Frees unused resources."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a task: `finish` writes it and returns the response.

    `undo` frees new resources if the outcome is not written, `after` unused ones if it is.
    """

    finish: Callable[[], Mapping[str, Any]]
    undo: Free | None = None
    after: Free | None = None


class Task(msgspec.Struct, frozen=True, tag_field="kind"):
    """The work of an operation; subclasses are tagged with their kind."""


T = TypeVar("T", bound=Task)


@dataclass(frozen=True, slots=True)
class Runner(Generic[T]):
    """The work of a kind of task, and how it is shown.

    `perform` does the work, possibly a second time; raises StatusError for the operation's error.
    """

    task: type[T]
    metadata: str
    step: Step
    perform: Callable[[T], Awaitable[Outcome]]
    stages: tuple[str, ...] = ()
    """Values of its `deploymentStage` in order; the last two are success and failure."""


class _Operation(msgspec.Struct, omit_defaults=True, rename={"task": "_task"}):
    """A stored operation."""

    name: str
    metadata: Document
    task: Document
    done: bool = False
    response: Document | None = None
    error: Document | None = None

    @property
    def kind(self) -> str:
        """Return the kind of the task."""
        return str(self.task["kind"])

    def shown(self) -> Document:
        """Return the operation as the API shows it."""
        return {k: v for k, v in msgspec.to_builtins(self).items() if not k.startswith("_")}


@dataclass(frozen=True, slots=True)
class _Signals:
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Operations:
    """The operations of all projects and locations."""

    def __init__(self, records: Records, work: BackgroundTasks, latency: Latency) -> None:
        self._records = records
        self._work = work
        self._latency = latency
        self._runners: dict[str, Runner[Any]] = {}
        self._running: dict[str, _Signals] = {}

    def register(self, *runners: Runner[Any]) -> None:
        """Register the work of kinds of tasks."""
        self._runners |= {_kind(runner.task): runner for runner in runners}

    def begin(
        self,
        owner: str,
        task: Task,
        turn: str,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> Document:
        """Record an operation below `owner`, start it after others of its `turn`, and return it.

        `more` is added to the times in its metadata.
        """
        name, now = f"{owner}/operations/{new_id()}", self._records.now()
        metadata = {
            "@type": f"{TYPE}{self._runners[_kind(type(task))].metadata}",
            "genericMetadata": {"createTime": now, "updateTime": now},
            **more,
        }
        operation = _Operation(name, metadata, {**msgspec.to_builtins(task), "turn": turn})
        self._write(operation)
        self._start(name, turn)
        return operation.shown()

    def _start(self, name: str, turn: str) -> None:
        self._running[name] = _Signals()
        self._work.start(turn, self._perform(name))

    def restore(self) -> None:
        """Perform the unfinished operations of an earlier process."""
        for name, document in self._records.resources.list(OPERATION):
            operation = msgspec.convert(document, _Operation)
            if not operation.done:
                self._start(name, operation.task["turn"])

    def pending(self, task: type[T]) -> list[T]:
        """Return the unfinished tasks of a kind."""
        operations = [self._stored(name) for name in self._running]
        return [
            msgspec.convert(operation.task, task)
            for operation in operations
            if not operation.done and operation.kind == _kind(task)
        ]

    async def _perform(self, name: str) -> None:
        try:
            after = await self._attempt(name)
        finally:
            self._running.pop(name).ended.set()
        if after is not None:
            await after()

    async def _attempt(self, name: str) -> Free | None:
        """Perform an operation's task; return the function that frees unused resources."""
        operation, signals = self._stored(name), self._running[name]
        runner = self._runners[operation.kind]
        try:
            await self._pause(name, runner, signals)
            raise_injected()
            outcome = await runner.perform(msgspec.convert(operation.task, runner.task))
            await self._settle(name, outcome, signals)
        except StatusError as error:
            self._fail(name, error.code, error.message)
            return None
        except Exception as error:
            logger.exception("%s failed", name)
            self._fail(name, Code.INTERNAL, f"{type(error).__name__}: {error}")
            return None
        return outcome.after

    async def _settle(self, name: str, outcome: Outcome, signals: _Signals) -> None:
        """Write the outcome and the operation's end in one transaction, or undo the task."""
        try:
            _refuse_cancelled(signals)
            with self._records.resources.transaction():
                self._end(name, response=dict(outcome.finish()))
        except Exception:
            if outcome.undo is not None:
                await outcome.undo()
            raise

    async def _pause(self, name: str, runner: Runner[Any], signals: _Signals) -> None:
        """Wait for the duration of the step, stage by stage, unless the operation is cancelled."""
        seconds, clock = self._latency.seconds(runner.step), self._latency.clock
        stages = runner.stages[:-2] or ("",)
        begun = clock.now()
        for number, stage in enumerate(stages if seconds else (), 1):
            self._write_stage(name, stage)
            until = begun + timedelta(seconds=seconds * number / len(stages))
            remaining = (until - clock.now()).total_seconds()
            await either(clock.sleep(remaining), signals.cancelled.wait())
            _refuse_cancelled(signals)
        _refuse_cancelled(signals)

    def _write_stage(self, name: str, stage: str) -> None:
        if stage:
            operation = self._stored(name)
            operation.metadata["deploymentStage"] = stage
            self._write(operation)

    def _fail(self, name: str, code: Code, message: str) -> None:
        self._end(name, error={"code": int(code), "message": message})

    def _end(
        self, name: str, *, response: Document | None = None, error: Document | None = None
    ) -> None:
        operation = self._stored(name)
        operation.metadata["genericMetadata"]["updateTime"] = self._records.now()
        stages = self._runners[operation.kind].stages
        if stages:
            operation.metadata["deploymentStage"] = stages[-1 if error else -2]
        operation.done, operation.response, operation.error = True, response, error
        self._write(operation)

    def _write(self, operation: _Operation) -> None:
        document = msgspec.to_builtins(operation)
        self._records.resources.put(OPERATION, operation.name, document)

    def _stored(self, name: str) -> _Operation:
        document = self._records.resources.get(OPERATION, name)
        if document is None:
            raise not_found("Operation", name)
        return msgspec.convert(document, _Operation)

    def get(self, name: str) -> Document:
        """Return an operation; raises ApiError NOT_FOUND."""
        return self._stored(name).shown()

    def all_of(self, owner: str) -> list[tuple[str, Document]]:
        """Return the operations below a resource by name."""
        stored = self._records.resources.list(OPERATION, f"{owner}/operations/")
        return [(name, msgspec.convert(document, _Operation).shown()) for name, document in stored]

    async def wait(self, name: str, seconds: float | None) -> Document:
        """Return an operation once it is done, or after so many seconds."""
        self._stored(name)
        signals = self._running.get(name)
        if signals is not None:
            most = _LONGEST_WAIT if seconds is None else min(seconds, _LONGEST_WAIT)
            await either(self._latency.clock.sleep(most), signals.ended.wait())
        return self.get(name)

    def cancel(self, name: str) -> Document:
        """Cancel an operation, which then ends CANCELLED. A finished one does not change."""
        self._stored(name)
        with suppress(KeyError):
            self._running[name].cancelled.set()
        return {}

    def delete(self, name: str) -> Document:
        """Delete a finished operation; raises ApiError FAILED_PRECONDITION for others."""
        if not self._stored(name).done:
            raise failed_precondition(f"Operation `{name}` is not done.")
        self._records.resources.delete(OPERATION, name)
        return {}


def _refuse_cancelled(signals: _Signals) -> None:
    if signals.cancelled.is_set():
        raise ApiError(Code.CANCELLED, "The operation was cancelled.")


def _kind(task: type[Task]) -> str:
    return str(task.__struct_config__.tag)
