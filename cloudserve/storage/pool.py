"""A bounded thread pool for all files and parts of a transfer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from cloudserve.storage.retry import StoppedError

WORKERS = 8

Task = Callable[[], Sequence["Task"]]
"""Does some work and returns the tasks that follow: a file returns its parts."""


def run(tasks: Iterable[Task], stop: threading.Event, workers: int = WORKERS) -> None:
    """Run tasks and those that they return, with `workers` threads, until all have ended.

    Returned tasks run first, so files are finished before new ones are started. The first error
    sets `stop`, and is raised once the running tasks have ended.
    """
    waiting = deque(tasks)
    running: set[Future[Sequence[Task]]] = set()
    with ThreadPoolExecutor(workers, "transfer") as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.add(pool.submit(waiting.popleft()))
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in _failed_first(done):
                    waiting.extendleft(reversed(future.result()))
        except BaseException:
            stop.set()
            raise


def _failed_first(done: set[Future[Sequence[Task]]]) -> list[Future[Sequence[Task]]]:
    """Sort tasks stopped by another's failure last: the cause is raised."""
    return sorted(done, key=lambda f: (f.exception() is None, _gave_up(f)))


def _gave_up(future: Future[Sequence[Task]]) -> bool:
    return isinstance(future.exception(), StoppedError)
