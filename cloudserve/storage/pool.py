"""One bounded pool for everything that a transfer does: files and parts of files alike."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from cloudserve.storage.retry import StoppedError

WORKERS = 8

Task = Callable[[], Sequence["Task"]]
"""Does something and returns what has to be done because of it: a file returns its parts."""


def run(tasks: Iterable[Task], stop: threading.Event, workers: int = WORKERS) -> None:
    """Run tasks and those that they return, `workers` at once, and wait for the end of all.

    What a task returns goes first, so that files are finished before new ones are begun. The first
    error sets `stop`, and is raised when what was running has ended.
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
    """Put what failed first, and what gave up because of it last: the cause is what is raised."""
    return sorted(done, key=lambda f: (f.exception() is None, _gave_up(f)))


def _gave_up(future: Future[Sequence[Task]]) -> bool:
    return isinstance(future.exception(), StoppedError)
