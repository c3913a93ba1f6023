"""The queue of a server that batches by itself: whatever waits runs together, if that pays.

It refuses nothing: there is no limit of a client's rows, and no timeout. Not thread-safe: the
scheduler's lock guards every call.
"""

from __future__ import annotations

import math
from collections import deque

from ..status import Code, StatusError
from .costs import RunCosts, is_cheap
from .execution import Run
from .queues import Process
from .requests import Task

_NOW = -math.inf
_PAIR = 2


class GroupQueue:
    """The tasks of one signature and shape of one model version (a Queue)."""

    is_full = False

    def __init__(self, process: Process, costs: RunCosts, run: Run) -> None:
        self.process = process
        self.run = run
        """Runs the model once."""
        self.running = 0
        """How many groups are running."""
        self.is_proven = False
        """Whether tasks may run together; until then, they are taken in pairs to be compared."""
        self._costs = costs
        self._tasks: deque[Task] = deque()
        self._rows = 0
        self._chosen = 0
        """How many rows the next group has; 0 if that is not decided."""
        self._latest = -math.inf
        self._closed = False

    def add(self, task: Task, now: float) -> None:
        """Add a task. Raises StatusError if the model is closed."""
        if self._closed:
            raise StatusError(Code.CANCELLED, "Session has been closed.")
        self._tasks.append(task)
        self._rows += task.size
        self._chosen = 0
        self._latest = now

    def due(self) -> float | None:
        """Return when a group is due: now, or None if no task waits."""
        return _NOW if self._tasks else None

    def expected_seconds(self) -> float | None:
        """Return how long the next group will run; None if that is unknown."""
        return self._costs.seconds(self._most_rows()) if self.is_proven else None

    def seconds_alone(self, rows: int) -> float | None:
        """Return how long a task will run that waits for no other; None if it may not run yet."""
        is_free = self.is_proven and not self._tasks and not self.running
        return self._costs.seconds(rows) if is_free else None

    def rows_at_once(self, rows: int) -> int:
        """Return how many of so many rows the event loop may run together; 0 if it may not.

        It may if they overtake no others, and are cheap if a row costs no more than in a smaller
        run. So larger sizes are measured here: in a thread, which waits for the loop to let Python
        run, they seem to cost milliseconds.
        """
        if not self.is_proven or self._tasks or self.running:
            return 0
        most = self._costs.best(1, rows)
        return most if is_cheap(self._costs.seconds_if_alike(most)) else 0

    def take(self, now: float) -> list[Task]:  # noqa: ARG002  a group never waits
        """Take the oldest tasks, as many as pay; [] if there are none."""
        if not self._tasks:
            return []
        most = self._most_rows()
        tasks = [self._tasks.popleft()]
        size = tasks[0].size
        while self._tasks and size + self._tasks[0].size <= most:
            size += self._tasks[0].size
            tasks.append(self._tasks.popleft())
        self._rows -= size
        self._chosen = 0
        return tasks

    def close(self) -> None:
        """Accept no more tasks."""
        self._closed = True

    def hurry(self) -> None:
        """Do nothing: no task waits for others."""

    @property
    def load(self) -> tuple[int, int, float]:
        """Return how many groups run or wait, the waiting rows, the last task's time."""
        return self.running + bool(self._tasks), self._rows, self._latest

    @property
    def waiting(self) -> int:
        """Return how many tasks wait."""
        return len(self._tasks)

    @property
    def idle(self) -> bool:
        """Return whether nothing waits and nothing runs."""
        return self.running == 0 and not self._tasks

    def _most_rows(self) -> int:
        if not self.is_proven:
            return sum(task.size for task in list(self._tasks)[:_PAIR])
        if not self._chosen:
            self._chosen = self._costs.best(self._tasks[0].size, self._rows)
        return self._chosen
