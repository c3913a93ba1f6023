"""The batch threads, shared by all models: each takes the next due batch and runs it.

The first model to be opened starts the threads, the last one to be closed stops them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from .queues import BatchQueue, RoundRobin
from .requests import Task

Clock = Callable[[], float]
"""Returns the time in seconds; it never goes back."""


class Scheduler:
    """Runs the batches of any number of queues in turn, in a fixed number of threads."""

    def __init__(self, threads: int, name: str, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.name = name
        self._names = [f"{name}-{index}" for index in range(threads)]
        self._rotation = RoundRobin()
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        self._stopping = False
        # Guards the start and stop of the threads; taken before the other lock, never after.
        self._life = threading.Lock()
        self._users = 0
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Add a user; the first one starts the threads."""
        with self._life:
            self._users += 1
            if self._users == 1:
                self._start()

    def close(self) -> None:
        """Remove a user; the last one stops the threads and waits for them."""
        with self._life:
            self._users -= 1
            if self._users == 0:
                self._stop()

    def add(self, queues: Sequence[BatchQueue], task: Task) -> None:
        """Add a task to the least loaded of some queues; among equals, to the longest unused.

        Raises StatusError if that queue refuses it.
        """
        with self._lock:
            queue = min(queues, key=_load) if len(queues) > 1 else queues[0]
            if self._rotation.add(queue, task, self.clock()):
                self._wake.notify()

    def hurry(self, queues: Sequence[BatchQueue]) -> None:
        """Stop waiting for more rows in these queues."""
        with self._lock:
            for queue in queues:
                queue.hurry()
            self._wake.notify_all()

    def drain(self, queues: Sequence[BatchQueue]) -> None:
        """Close queues and wait until all their tasks are settled."""
        with self._lock:
            for queue in queues:
                queue.close()
            self._wake.notify_all()
            self._idle.wait_for(lambda: all(queue.idle for queue in queues))

    def waiting(self, queues: Sequence[BatchQueue]) -> int:
        """Return how many tasks wait in queues."""
        with self._lock:
            return sum(queue.waiting for queue in queues)

    def _start(self) -> None:
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=name, daemon=True) for name in self._names
        ]
        for thread in self._threads:
            thread.start()

    def _stop(self) -> None:
        with self._lock:
            self._stopping = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            queue, tasks = batch
            try:
                queue.process(tasks)
            finally:
                self._finish(queue)

    def _next(self) -> tuple[BatchQueue, list[Task]] | None:
        """Wait for a batch; None when the threads are to stop."""
        with self._lock:
            while (batch := self._rotation.take(self.clock())) is None:
                if self._stopping:
                    return None
                self._wake.wait(self._seconds_to_wait())
            if self._rotation.due() is not None:
                # Another thread must watch the rest while this one is busy.
                self._wake.notify()
            return batch

    def _seconds_to_wait(self) -> float | None:
        due = self._rotation.due()
        return None if due is None else min(max(0.0, due - self.clock()), threading.TIMEOUT_MAX)

    def _finish(self, queue: BatchQueue) -> None:
        with self._lock:
            queue.running -= 1
            self._idle.notify_all()


def _load(queue: BatchQueue) -> tuple[int, int, float]:
    return queue.load
