"""A queued request, and the completion that its caller waits for.

A batch thread settles every task of a batch. A waiting thread is woken by its own event, an event
loop once for all of its tasks in the batch.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, TypeAlias

from cloudserve.plural import counted

from ..deferred import Deferred, in_loop
from ..runtime.types import Tensor
from ..status import Code, StatusError

logger = logging.getLogger(__name__)

Tensors: TypeAlias = Mapping[str, Tensor]
"""Arrays by the names of the graph's tensors, such as `x:0`."""

Outcome: TypeAlias = Tensors | Exception
"""A task's outputs, or its error."""


class Completion(Protocol):
    """The caller's handle on the outcome of a task."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop whose thread must settle it; None if any thread may."""
        ...

    @property
    def gone(self) -> bool:
        """Return whether no caller waits any more, so that the task need not run."""
        ...

    def begin(self) -> None:
        """Record, from a batch thread, that the task starts to run."""
        ...

    def joined(self, rows: int, now: float) -> None:
        """Record the rows of the batch that runs now, 0 if the task runs alone.

        `now` is on the clock `time.perf_counter`. A task that is run again joins again.
        """
        ...

    def settle(self, outcome: Outcome) -> None:
        """Set the outcome, once."""
        ...


@dataclass(slots=True)
class Task:
    """A request's rows: `size` of them in the first dimension of every input. Never changed."""

    inputs: Tensors
    size: int
    completion: Completion
    deadline: float = math.inf
    """When the result is no longer useful, on the scheduler's clock in seconds."""
    queued: float = 0.0
    """The time of arrival, on the same clock."""


class ThreadCompletion:
    """The completion of a waiting thread."""

    __slots__ = ("_outcome", "_settled")

    loop = None
    gone = False

    def __init__(self) -> None:
        self._settled = threading.Event()
        self._outcome: Outcome = {}

    def begin(self) -> None:
        """Do nothing: the thread keeps waiting."""

    def joined(self, rows: int, now: float) -> None:
        """Do nothing: a waiting thread measures nothing."""

    def settle(self, outcome: Outcome) -> None:
        """Wake the thread."""
        self._outcome = outcome
        self._settled.set()

    def wait(self) -> Tensors:
        """Wait for the outputs, or raise the task's error."""
        self._settled.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class LoopCompletion(Deferred[Tensors]):
    """The completion of a request of an event loop, by default the running one."""

    __slots__ = ("batch_rows", "is_queued", "loop", "ran_at")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__()
        self.loop = loop or asyncio.get_running_loop()
        self.is_queued = True
        """Whether no batch thread has taken the task from its queue."""
        self.batch_rows = 0
        """The rows of the batch that it ran in; 0 if it ran alone."""
        self.ran_at = 0.0
        """When its run began, on the clock `time.perf_counter`; 0 if it has not."""

    @property
    def gone(self) -> bool:
        """Return whether the caller is gone, or the task expired in the queue."""
        return self.is_done

    def begin(self) -> None:
        """Record that the task has left its queue."""
        self.is_queued = False

    def joined(self, rows: int, now: float) -> None:
        """Record the batch; see Completion."""
        self.batch_rows, self.ran_at = rows, now

    def expire(self) -> bool:
        """Refuse the task if it is still queued; return whether it was.

        TensorFlow Serving refuses it too, but only when a batch thread reaches the task.
        """
        if not self.is_queued:
            return False
        self.settle(timed_out())
        return True


def join(tasks: Sequence[Task]) -> None:
    """Record that these tasks run together now."""
    now = perf_counter()
    rows = sum(task.size for task in tasks) if len(tasks) > 1 else 0
    for task in tasks:
        task.completion.joined(rows, now)


def settle(outcomes: Iterable[tuple[Completion, Outcome]]) -> None:
    """Settle completions from any thread: each loop is woken once for all of its own."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Completion, Outcome]]] = {}
    for completion, outcome in outcomes:
        if completion.loop is None:
            completion.settle(outcome)
        else:
            by_loop.setdefault(completion.loop, []).append((completion, outcome))
    for loop, pairs in by_loop.items():
        if loop is _running_loop():
            _settle_all(pairs)
        elif not in_loop(loop, _settle_all, pairs):
            # The loop's callers are gone with it.
            logger.warning("the event loop of %s is closed", counted(len(pairs), "answer"))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _settle_all(pairs: list[tuple[Completion, Outcome]]) -> None:
    for completion, outcome in pairs:
        try:
            completion.settle(outcome)
        except Exception:
            # A defect of one caller's callback: the others are still answered.
            logger.exception("an answer could not be delivered")


def timed_out() -> StatusError:
    """Return the error of a request whose deadline passed before a thread was free."""
    text = "Run() timeout exceeded while waiting in batching queue"
    return StatusError(Code.RESOURCE_EXHAUSTED, text)


def own_copy(error: Exception) -> Exception:
    """Return a copy of an error: threads that raise the same object share its traceback."""
    if not isinstance(error, StatusError):
        return error
    copy = StatusError(error.code, error.message)
    copy.__cause__ = error
    return copy
