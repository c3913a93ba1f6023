"""The batch threads, which all models share: each takes the next batch that is due and runs it.

The threads are there while a model is: the first one opened starts them, the last one closed ends
them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from .queues import BatchQueue, Ring
from .tasks import Task

Clock = Callable[[], float]
"""Gives the time in seconds; it never goes back."""


class Scheduler:
    """Runs the batches of any number of queues, in turn, in a fixed number of threads."""

    def __init__(self, threads: int, name: str, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.name = name
        self._names = [f"{name}-{index}" for index in range(threads)]
        self._ring = Ring()
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        self._stopping = False
        # Guards the threads' own coming and going; taken before the other, never after.
        self._life = threading.Lock()
        self._users = 0
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Have the threads running for one more user."""
        with self._life:
            self._users += 1
            if self._users == 1:
                self._start()

    def close(self) -> None:
        """Take back one `open`; the last one ends the threads and waits until they have."""
        with self._life:
            self._users -= 1
            if self._users == 0:
                self._stop()

    def add(self, queues: Sequence[BatchQueue], task: Task) -> None:
        """Put a task into the least loaded of some queues, of equal ones the longest unused.

        Raises StatusError when that queue does not take it.
        """
        with self._lock:
            queue = min(queues, key=_load) if len(queues) > 1 else queues[0]
            if self._ring.add(queue, task, self.clock()):
                self._wake.notify()

    def hurry(self, queues: Sequence[BatchQueue]) -> None:
        """Have queues wait for no more rows from now on."""
        with self._lock:
            for queue in queues:
                queue.hurry()
            self._wake.notify_all()

    def drain(self, queues: Sequence[BatchQueue]) -> None:
        """Close queues and wait until every task in them is settled."""
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
        while (job := self._next()) is not None:
            queue, tasks = job
            try:
                queue.process(tasks)
            finally:
                self._finish(queue)

    def _next(self) -> tuple[BatchQueue, list[Task]] | None:
        """Wait for a batch; None when the threads are to end."""
        with self._lock:
            while (job := self._ring.take(self.clock())) is None:
                if self._stopping:
                    return None
                self._wake.wait(self._seconds_to_wait())
            if self._ring.due() is not None:
                # Whoever sleeps next must look after what is left while this thread is busy.
                self._wake.notify()
            return job

    def _seconds_to_wait(self) -> float | None:
        due = self._ring.due()
        return None if due is None else min(max(0.0, due - self.clock()), threading.TIMEOUT_MAX)

    def _finish(self, queue: BatchQueue) -> None:
        with self._lock:
            queue.running -= 1
            self._idle.notify_all()


def _load(queue: BatchQueue) -> tuple[int, int, float]:
    return queue.load
