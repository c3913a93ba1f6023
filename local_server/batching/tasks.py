"""A request on its way through a queue, and who waits for its answer.

A batch thread settles every task of a batch; a thread that waits is woken by its own event, an
event loop once for all of its tasks in the batch.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ..runtime.types import Tensor
from ..status import Code, StatusError

logger = logging.getLogger(__name__)

Tensors: TypeAlias = Mapping[str, Tensor]
"""Arrays by the names of the graph's tensors, such as `x:0`."""

Outcome: TypeAlias = Tensors | Exception
"""What became of a task: its outputs, or why there are none."""


class Ticket(Protocol):
    """Who waits for the outcome of a task."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop whose thread has to settle it; None where any thread may."""
        ...

    @property
    def gone(self) -> bool:
        """Say whether nobody waits any more, so that the task need not run."""
        ...

    def begin(self) -> None:
        """Hear, from a batch thread, that the task goes to the model now."""
        ...

    def settle(self, outcome: Outcome) -> None:
        """Hand over the outcome, once."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """A request's rows: `size` of them in the first dimension of every input."""

    inputs: Tensors
    size: int
    ticket: Ticket
    deadline: float = math.inf
    """When the answer is of no use any more, on the scheduler's clock in seconds."""
    queued: float = 0.0
    """When it came, on the same clock."""


class ThreadTicket:
    """A thread that waits."""

    __slots__ = ("_outcome", "_settled")

    loop = None
    gone = False

    def __init__(self) -> None:
        self._settled = threading.Event()
        self._outcome: Outcome = {}

    def begin(self) -> None:
        """Take no notice: the thread waits on."""

    def settle(self, outcome: Outcome) -> None:
        """Wake the thread."""
        self._outcome = outcome
        self._settled.set()

    def wait(self) -> Tensors:
        """Return the outputs once they are there, or raise why there are none."""
        self._settled.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class LoopTicket:
    """A coroutine that waits for `future` in the running loop."""

    __slots__ = ("future", "is_queued", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Tensors] = self.loop.create_future()
        self.is_queued = False
        """Whether the task is in a queue, and no batch thread has begun with it."""

    @property
    def gone(self) -> bool:
        """Say whether the coroutine was cancelled, or its time was over in the queue."""
        return self.future.done()

    def begin(self) -> None:
        """Note that the task has left its queue."""
        self.is_queued = False

    def expire(self) -> bool:
        """Refuse the task if it still waits in its queue; return whether it did.

        TensorFlow Serving says so too, but only once a batch thread gets to the task.
        """
        if not self.is_queued:
            return False
        self.settle(timed_out())
        self.future.exception()  # heard, also where a full queue has refused the task meanwhile
        return True

    def settle(self, outcome: Outcome) -> None:
        """Resolve the future, in the loop's thread."""
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


def settle(outcomes: Iterable[tuple[Ticket, Outcome]]) -> None:
    """Settle tickets from any thread: each loop is woken once, however many of them are its own."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Ticket, Outcome]]] = {}
    for ticket, outcome in outcomes:
        if ticket.loop is None:
            ticket.settle(outcome)
        else:
            by_loop.setdefault(ticket.loop, []).append((ticket, outcome))
    for loop, pairs in by_loop.items():
        _settle_in(loop, pairs)


def _settle_in(loop: asyncio.AbstractEventLoop, pairs: list[tuple[Ticket, Outcome]]) -> None:
    try:
        loop.call_soon_threadsafe(_settle_all, pairs)
    except RuntimeError:
        # The loop was closed, and with it whoever waited there.
        logger.warning("the event loop of %d answers is closed", len(pairs))


def _settle_all(pairs: list[tuple[Ticket, Outcome]]) -> None:
    for ticket, outcome in pairs:
        ticket.settle(outcome)


def timed_out() -> StatusError:
    """Return what a request is told whose time was over before a thread was free for it."""
    text = "Run() timeout exceeded while waiting in batching queue"
    return StatusError(Code.RESOURCE_EXHAUSTED, text)


def own_copy(error: Exception) -> Exception:
    """Return an error for one more raiser: threads that raise one object share its traceback."""
    if not isinstance(error, StatusError):
        return error
    copy = StatusError(error.code, error.message)
    copy.__cause__ = error
    return copy
