"""The scheduler of batches, shared by all models: its threads, and the event loop.

Each thread takes the next due batch and runs it. The first model to be opened starts the threads,
the last one to be closed stops them. An event loop adds the requests of one turn, and at its end
runs the batches that cost less than a hand-over to a thread delays others.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .costs import is_cheap
from .queues import Queue, RoundRobin
from .requests import Task

_FOLLOW_SECONDS = 10e-3
"""So long a batch waits for requests that are being decoded."""

Clock = Callable[[], float]
"""Returns the time in seconds; it never goes back."""


@dataclass(slots=True)
class _Turn:
    """What one turn of an event loop has added."""

    queues: dict[Queue, None] = field(default_factory=dict)
    requests: int = 0
    """How many requests asked whether they are alone."""
    others_follow: bool = False
    """Whether requests that are being decoded may join the last one."""
    timer: asyncio.TimerHandle | None = None
    """Ends the turn if none of them does."""
    is_ending: bool = False
    """Whether the turn ends before the timer."""


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
        self._turns: dict[asyncio.AbstractEventLoop, _Turn] = {}
        self._last_requests = 0
        """How many requests the last turn had."""

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

    def add(self, queues: Sequence[Queue], task: Task) -> None:
        """Add a task to the least loaded of some queues; among equals, to the longest unused.

        Raises StatusError if that queue refuses it.
        """
        with self._lock:
            queue = _least_loaded(queues)
            if self._rotation.add(queue, task, self.clock()):
                self._wake.notify()

    def add_in_turn(
        self,
        queues: Sequence[Queue],
        task: Task,
        loop: asyncio.AbstractEventLoop,
        *,
        others_follow: bool = False,
    ) -> None:
        """Add a task in the thread of a loop, with those of the same turn; see `add`.

        A batch that becomes full does not wait for the end of the turn. If others follow, the turn
        ends with the first that none follows, or after some milliseconds.
        """
        with self._lock:
            queue = _least_loaded(queues)
            self._rotation.add(queue, task, self.clock())
        if queue.is_full:
            self._work_off(queue)
            return
        turn = self._turn(loop)
        turn.queues[queue] = None
        turn.others_follow = others_follow
        if turn.timer is not None and not others_follow and not turn.is_ending:
            turn.timer.cancel()
            turn.is_ending = True
            loop.call_soon(self._end_turn, loop)

    def is_lone(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Count a request of the current turn; return whether it is probably the only one.

        It is if it is the first, and the last turn had no other.
        """
        turn = self._turn(loop)
        turn.requests += 1
        return turn.requests == 1 and self._last_requests <= 1

    def _turn(self, loop: asyncio.AbstractEventLoop) -> _Turn:
        turn = self._turns.get(loop)
        if turn is None:
            turn = self._turns[loop] = _Turn()
            loop.call_soon(self._end_turn, loop)
        return turn

    def hurry(self, queues: Sequence[Queue]) -> None:
        """Stop waiting for more rows in these queues."""
        with self._lock:
            for queue in queues:
                queue.hurry()
            self._wake.notify_all()

    def drain(self, queues: Sequence[Queue]) -> None:
        """Close queues and wait until all their tasks are settled."""
        with self._lock:
            for queue in queues:
                queue.close()
            self._wake.notify_all()
            self._idle.wait_for(lambda: all(queue.idle for queue in queues))

    def waiting(self, queues: Sequence[Queue]) -> int:
        """Return how many tasks wait in queues."""
        with self._lock:
            return sum(queue.waiting for queue in queues)

    def _end_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        turn = self._turns[loop]
        if turn.others_follow and turn.timer is None:
            turn.timer = loop.call_later(_FOLLOW_SECONDS, self._end_turn, loop)
            return
        del self._turns[loop]
        self._last_requests = turn.requests
        for queue in turn.queues:
            self._work_off(queue)

    def _work_off(self, queue: Queue) -> None:
        """Run a queue's due batches, as long as each is cheap; leave others to the threads."""
        while tasks := self._take_cheap(queue):
            try:
                queue.process(tasks)
            finally:
                self._finish(queue)

    def _take_cheap(self, queue: Queue) -> list[Task]:
        with self._lock:
            if queue.due() is None:
                return []
            tasks: list[Task] = []
            if is_cheap(queue.expected_seconds()):
                tasks = self._rotation.take_from(queue, self.clock())
            if not tasks:
                self._wake.notify()
            return tasks

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

    def _next(self) -> tuple[Queue, list[Task]] | None:
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

    def _finish(self, queue: Queue) -> None:
        with self._lock:
            queue.running -= 1
            self._idle.notify_all()


def _least_loaded(queues: Sequence[Queue]) -> Queue:
    return min(queues, key=_load) if len(queues) > 1 else queues[0]


def _load(queue: Queue) -> tuple[int, int, float]:
    return queue.load
