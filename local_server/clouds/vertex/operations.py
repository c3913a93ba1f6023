"""Vertex AI's long-running operations, performed in the background.

An operation's document is also the journal of its work: `_task` describes the work, so an operation
that a killed emulator left is performed again from its start. The changes of an operation and its
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
from typing import Any

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


Perform = Callable[[Document], Awaitable[Outcome]]
"""Does a task's work, possibly a second time; raises StatusError for the operation's error."""


@dataclass(frozen=True, slots=True)
class Runner:
    """The work of a kind of task, and how it is shown."""

    metadata: str
    step: Step
    perform: Perform
    stages: tuple[str, ...] = ()
    """Values of its `deploymentStage` in order; the last two are success and failure."""


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
        self._runners: dict[str, Runner] = {}
        self._running: dict[str, _Signals] = {}

    def register(self, kind: str, runner: Runner) -> None:
        """Register the work of a kind of task."""
        self._runners[kind] = runner

    def begin(
        self,
        owner: str,
        kind: str,
        task: Mapping[str, Any],
        turn: str,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> Document:
        """Record an operation below `owner`, start it after others of its `turn`, and return it.

        `more` is added to the times in its metadata.
        """
        name, now = f"{owner}/operations/{new_id()}", self._records.now()
        metadata = {
            "@type": f"{TYPE}{self._runners[kind].metadata}",
            "genericMetadata": {"createTime": now, "updateTime": now},
            **more,
        }
        operation: Document = {
            "name": name,
            "metadata": metadata,
            "_task": {**task, "kind": kind, "turn": turn},
        }
        self._records.resources.put(OPERATION, name, operation)
        self._start(name, turn)
        return _shown(operation)

    def _start(self, name: str, turn: str) -> None:
        self._running[name] = _Signals()
        self._work.start(turn, self._perform(name))

    def restore(self) -> None:
        """Perform the unfinished operations of an earlier process."""
        for name, operation in self._records.resources.list(OPERATION):
            if not operation.get("done"):
                self._start(name, operation["_task"]["turn"])

    def pending(self, kind: str) -> list[Document]:
        """Return the unfinished tasks of a kind."""
        under_way = [self._stored(name) for name in self._running]
        tasks = [operation["_task"] for operation in under_way if not operation.get("done")]
        return [task for task in tasks if task["kind"] == kind]

    async def _perform(self, name: str) -> None:
        try:
            after = await self._attempt(name)
        finally:
            self._running.pop(name).ended.set()
        if after is not None:
            await after()

    async def _attempt(self, name: str) -> Free | None:
        """Perform an operation's task; return the function that frees unused resources."""
        task = self._stored(name)["_task"]
        runner, signals = self._runners[task["kind"]], self._running[name]
        try:
            await self._pause(name, runner, signals)
            raise_injected()
            outcome = await runner.perform(task)
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
                self._end(name, {"response": dict(outcome.finish())})
        except Exception:
            if outcome.undo is not None:
                await outcome.undo()
            raise

    async def _pause(self, name: str, runner: Runner, signals: _Signals) -> None:
        """Wait for the duration of the step, stage by stage, unless the operation is cancelled."""
        seconds, clock = self._latency.seconds(runner.step), self._latency.clock
        stages = runner.stages[:-2] or ("",)
        begun = clock.now()
        for number, stage in enumerate(stages if seconds else (), 1):
            self._tell(name, stage)
            until = begun + timedelta(seconds=seconds * number / len(stages))
            remaining = (until - clock.now()).total_seconds()
            await either(clock.sleep(remaining), signals.cancelled.wait())
            _refuse_cancelled(signals)
        _refuse_cancelled(signals)

    def _tell(self, name: str, stage: str) -> None:
        if stage:
            operation = self._stored(name)
            operation["metadata"]["deploymentStage"] = stage
            self._records.resources.put(OPERATION, name, operation)

    def _fail(self, name: str, code: Code, message: str) -> None:
        self._end(name, {"error": {"code": int(code), "message": message}})

    def _end(self, name: str, outcome: Mapping[str, Any]) -> None:
        operation = self._stored(name)
        operation["metadata"]["genericMetadata"]["updateTime"] = self._records.now()
        stages = self._runners[operation["_task"]["kind"]].stages
        if stages:
            operation["metadata"]["deploymentStage"] = stages[-1 if "error" in outcome else -2]
        self._records.resources.put(OPERATION, name, {**operation, "done": True, **outcome})

    def _stored(self, name: str) -> Document:
        operation = self._records.resources.get(OPERATION, name)
        if operation is None:
            raise not_found("Operation", name)
        return operation

    def get(self, name: str) -> Document:
        """Return an operation; raises ApiError NOT_FOUND."""
        return _shown(self._stored(name))

    def all_of(self, owner: str) -> list[tuple[str, Document]]:
        """Return the operations below a resource by name."""
        stored = self._records.resources.list(OPERATION, f"{owner}/operations/")
        return [(name, _shown(operation)) for name, operation in stored]

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
        if not self._stored(name).get("done"):
            raise failed_precondition(f"Operation `{name}` is not done.")
        self._records.resources.delete(OPERATION, name)
        return {}


def _refuse_cancelled(signals: _Signals) -> None:
    if signals.cancelled.is_set():
        raise ApiError(Code.CANCELLED, "The operation was cancelled.")


def _shown(operation: Mapping[str, Any]) -> Document:
    return {key: value for key, value in operation.items() if not key.startswith("_")}
