"""Try again what may pass: exponential pauses with full jitter, and the service's Retry-After.

Full jitter (a random share of the pause) keeps many clients that failed at once from coming back
at once (AWS Architecture Blog, "Exponential Backoff And Jitter").
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cloudserve.errors import RemoteError

Result = TypeVar("Result")
Tell = Callable[[RemoteError, float], None]
"""Takes what failed and the seconds until the next attempt."""


class StoppedError(Exception):
    """Another part of the transfer failed; this one gives up. Never leaves the machinery."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and after which pauses, in seconds; one belongs to one transfer, for its `stop`."""

    attempts: int = 8
    first: float = 0.5
    longest: float = 20.0
    patience: float = 120.0
    """The longest Retry-After that is waited for; a longer one is the error's end."""
    chance: Callable[[], float] = random.random
    stop: threading.Event = field(default_factory=threading.Event)
    """Set, it ends every pause, and no attempt begins."""

    def run(self, call: Callable[[], Result], tell: Tell) -> Result:
        """Return what `call` returns; raises its last error, or one that is not retryable.

        Raises StoppedError as soon as `stop` is set.
        """
        for attempt in range(1, self.attempts + 1):
            if self.stop.is_set():
                raise StoppedError
            try:
                return call()
            except RemoteError as error:
                if self.stop.is_set():  # what was stopped may look like a lost connection
                    raise StoppedError from error
                pause = self._pause(attempt, error)
                if not error.retryable or attempt == self.attempts or pause > self.patience:
                    raise
                tell(error, pause)
            self.stop.wait(pause)
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, attempt: int, error: RemoteError) -> float:
        jittered = self.chance() * min(self.longest, self.first * 2.0 ** (attempt - 1))
        return max(jittered, error.retry_after or 0.0)
