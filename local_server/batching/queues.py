"""Batch queues: which tasks run together and when, without threads or a clock.

Source: tensorflow/core/kernels/batching_util/shared_batch_scheduler.h (`Queue`). The last batch of
a queue is the open one; those before it are closed and wait for a thread. Not thread-safe: the
scheduler's lock guards every call.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..status import Code, StatusError
from .costs import RunCosts
from .padding import padding_rows
from .parameters import BatchingParameters
from .requests import Task
from .splitting import split_task

_MICROSECONDS = 1e6
_NOW = -math.inf
_FULL = "The batch scheduling queue to which this task was submitted is full"

Process = Callable[[Sequence[Task]], None]
"""Runs tasks as one batch and settles each of them; never raises."""


@dataclass(slots=True)
class _Batch:
    tasks: list[Task] = field(default_factory=list)
    size: int = 0
    opened: float = 0.0


class Queue(Protocol):
    """The waiting tasks of one tensor signature of one model version."""

    process: Process
    running: int
    """How many batches are running."""

    @property
    def is_full(self) -> bool:
        """Return whether the next batch takes no further task."""
        ...

    @property
    def load(self) -> tuple[int, int, float]:
        """Return how many batches run or wait, the open one's rows, the last task's time."""
        ...

    @property
    def waiting(self) -> int:
        """Return how many tasks wait."""
        ...

    @property
    def idle(self) -> bool:
        """Return whether nothing waits and nothing runs."""
        ...

    def add(self, task: Task, now: float) -> None:
        """Add a task. Raises StatusError if the queue refuses it."""
        ...

    def due(self) -> float | None:
        """Return when a batch is due; None if no task waits."""
        ...

    def expected_seconds(self) -> float | None:
        """Return how long the next batch will run; None if that is unknown."""
        ...

    def take(self, now: float) -> list[Task]:
        """Take the oldest batch if it is due; else return []."""
        ...

    def close(self) -> None:
        """Accept no more tasks, and make the queued ones due."""
        ...

    def hurry(self) -> None:
        """Stop waiting for more rows: queued tasks are due."""
        ...


class BatchQueue:
    """The batches of one tensor signature of one model version (a Queue)."""

    def __init__(
        self, parameters: BatchingParameters, process: Process, costs: RunCosts | None = None
    ) -> None:
        self.process = process
        self._costs = costs
        self.running = 0
        """How many batches are running."""
        self._input_limit = parameters.max_batch_size
        self._limit = parameters.execution_limit
        self._allowed = parameters.allowed_batch_sizes
        self._splits = parameters.enable_large_batch_splitting
        self._timeout = parameters.batch_timeout_micros / _MICROSECONDS
        self._most_batches = max(1, parameters.max_enqueued_batches)
        self._batches = deque([_Batch()])
        self._latest = -math.inf
        self._closed = False

    def add(self, task: Task, now: float) -> None:
        """Add a task to the open batch, or to new ones.

        Raises StatusError with upstream's texts: INVALID_ARGUMENT for a task that is too large,
        UNAVAILABLE if the queue is full. No part of the task is queued then.
        """
        self._check_size(task)
        room = self._limit - self._batches[-1].size
        pieces = split_task(task, room, self._limit) if self._splits else (task,)
        for piece in pieces:
            self._append(piece, now)
        self._latest = now

    def due(self) -> float | None:
        """Return when a batch is due; None if no task waits."""
        if len(self._batches) > 1:
            return _NOW
        batch = self._batches[-1]
        if not batch.tasks:
            return None
        if self._closed or batch.size >= self._limit:
            return _NOW
        return batch.opened + self._timeout

    @property
    def is_full(self) -> bool:
        """Return whether the next batch takes no further task."""
        return len(self._batches) > 1 or self._batches[0].size >= self._limit

    def expected_seconds(self) -> float | None:
        """Return how long the next batch will run; None if that is unknown."""
        if self._costs is None:
            return None
        size = self._batches[0].size
        return self._costs.seconds(size + padding_rows(size, self._allowed))

    def take(self, now: float) -> list[Task]:
        """Take the oldest batch if it is due; else return []."""
        due = self.due()
        if due is None or due > now:
            return []
        if len(self._batches) == 1:
            self._batches.append(_Batch())
        return self._batches.popleft().tasks

    def close(self) -> None:
        """Accept no more tasks, and make the queued ones due."""
        self._closed = True

    def hurry(self) -> None:
        """Stop waiting for more rows: queued tasks are due."""
        self._timeout = 0.0

    @property
    def load(self) -> tuple[int, int, float]:
        """Return how many batches run or wait, the open one's rows, the last task's time."""
        open_batch = self._batches[-1]
        waiting = len(self._batches) - (not open_batch.tasks)
        return self.running + waiting, open_batch.size, self._latest

    @property
    def waiting(self) -> int:
        """Return how many tasks wait."""
        return sum(len(batch.tasks) for batch in self._batches)

    @property
    def idle(self) -> bool:
        """Return whether nothing waits and nothing runs."""
        return self.running == 0 and self.due() is None

    def _append(self, task: Task, now: float) -> None:
        if self._batches[-1].size + task.size > self._limit:
            self._batches.append(_Batch())
        batch = self._batches[-1]
        if not batch.tasks:
            batch.opened = now
        batch.tasks.append(task)
        batch.size += task.size

    def _check_size(self, task: Task) -> None:
        if self._closed:
            raise StatusError(Code.CANCELLED, "Session has been closed.")
        if task.size > self._input_limit:
            raise StatusError(
                Code.INVALID_ARGUMENT,
                f"Task size {task.size} is larger than maximum input batch size "
                f"{self._input_limit}",
            )
        if self._splits:
            self._check_capacity(task)
        else:
            self._check_batches(task)

    def _check_batches(self, task: Task) -> None:
        """Refuse a task that would need one batch too many."""
        count = len(self._batches)
        if self._batches[-1].size + task.size > self._limit and count >= self._most_batches:
            raise StatusError(
                Code.UNAVAILABLE,
                f"{_FULL}; currently {count} batches enqueued and "
                f"max_enqueued_batches is {self._most_batches}",
            )

    def _check_capacity(self, task: Task) -> None:
        """Refuse a task whose pieces do not all fit."""
        count, open_size = len(self._batches), self._batches[-1].size
        capacity = (self._most_batches - count) * self._limit + self._limit - open_size
        if task.size > capacity:
            raise StatusError(
                Code.UNAVAILABLE,
                f"{_FULL}; task size is {task.size} but scheduling capacity is only {capacity} "
                f"(num_enqueued_batches={count}, max_enqueued_batches={self._most_batches}, "
                f"open_batch_size={open_size}, max_execution_batch_size={self._limit})",
            )


class RoundRobin:
    """The queues in which tasks wait; each yields a batch in turn."""

    def __init__(self) -> None:
        self._queues: deque[Queue] = deque()

    def add(self, queue: Queue, task: Task, now: float) -> bool:
        """Queue a task; return whether the time of the next due batch changed."""
        before = queue.due()
        queue.add(task, now)
        if before is None:
            self._queues.append(queue)
        return queue.due() != before

    def take(self, now: float) -> tuple[Queue, list[Task]] | None:
        """Take the next due batch in turn; None if no batch is due."""
        for _ in range(len(self._queues)):
            queue = self._queues.popleft()
            tasks = queue.take(now)
            if queue.due() is not None:
                self._queues.append(queue)
            if tasks:
                queue.running += 1
                return queue, tasks
        return None

    def take_from(self, queue: Queue, now: float) -> list[Task]:
        """Take a queue's next batch if it is due; else return []."""
        tasks = queue.take(now)
        if tasks:
            queue.running += 1
            if queue.due() is None:
                self._queues.remove(queue)
        return tasks

    def due(self) -> float | None:
        """Return when the first batch is due; None if nothing waits."""
        times = [due for queue in self._queues if (due := queue.due()) is not None]
        return min(times, default=None)
