"""Retries of transient errors: exponential backoff with full jitter, and Retry-After.

Full jitter (a random share of the delay) keeps clients that failed together from retrying together
(AWS Architecture Blog, "Exponential Backoff And Jitter").
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cloudserve.errors import RemoteError

Result = TypeVar("Result")
OnRetry = Callable[[RemoteError, float], None]
"""Called with the error and the seconds until the next attempt."""


class StoppedError(Exception):
    """Another part of the transfer failed, so this one stops. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Number and delays of attempts, in seconds. Each transfer has its own, with its `stop`."""

    attempts: int = 8
    first: float = 0.5
    longest: float = 20.0
    patience: float = 120.0
    """The longest Retry-After to wait for; a longer one makes the error final."""
    jitter: Callable[[], float] = random.random
    stop: threading.Event = field(default_factory=threading.Event)
    """When set, delays end and no attempt starts."""

    def run(self, call: Callable[[], Result], on_retry: OnRetry) -> Result:
        """Return the result of `call`; raises its last error, or the first that is not retryable.

        Raises StoppedError as soon as `stop` is set.
        """
        for attempt in range(1, self.attempts + 1):
            if self.stop.is_set():
                raise StoppedError
            try:
                return call()
            except RemoteError as error:
                if self.stop.is_set():  # a stopped request may look like a lost connection
                    raise StoppedError from error
                pause = self._pause(attempt, error)
                if not error.retryable or attempt == self.attempts or pause > self.patience:
                    raise
                on_retry(error, pause)
            self.stop.wait(pause)
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, attempt: int, error: RemoteError) -> float:
        jittered = self.jitter() * min(self.longest, self.first * 2.0 ** (attempt - 1))
        return max(jittered, error.retry_after or 0.0)


def retry_after(text: str | None) -> float | None:
    """Return a Retry-After given in seconds; S3 and GCS do not use its other form, a date."""
    return float(text) if text and text.isascii() and text.isdigit() else None
