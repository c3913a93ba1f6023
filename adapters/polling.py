"""Polling of a cloud's long operation, with back-off and a deadline.

The SDKs' own waiters poll every 30 s (boto3) and report nothing in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cloudserve.errors import RemoteError
from cloudserve.interruption import pause
from cloudserve.storage.events import Reporter

Result = TypeVar("Result")
GROWTH = 1.6
PATIENCE = 5
"""The number of retryable failures in a row that end a wait."""
REMINDER_SECONDS = 10.0
"""The time between lines that say that the wait continues."""


@dataclass(frozen=True, slots=True)
class Poller:
    """Polls after `first` seconds, then less and less often, at last every `longest` seconds."""

    timeout: float
    """Seconds until the wait is given up."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = pause
    first: float = 0.2
    longest: float = 5.0

    def until(
        self,
        probe: Callable[[], Result | None],
        *,
        what: str,
        where: str,
        reporter: Reporter,
        state: Callable[[], str] = str,
    ) -> Result:
        """Call `probe` until it returns something, and return that.

        Reports every ten seconds that the operation is not done, with `state()`, what the platform
        last called its state. Raises what the probe raises, except retryable errors (five in a row
        are one too many), and RemoteError at the deadline; the operation itself continues.
        """
        start = self.clock()
        deadline, reminder = start + self.timeout, start + REMINDER_SECONDS
        seconds, failures = self.first, 0
        while True:
            try:
                result = probe()
            except RemoteError as error:
                failures += 1
                if not error.retryable or failures >= PATIENCE:
                    raise
                reporter.line(f"{error.message}; asking again")
            else:
                failures = 0
                if result is not None:
                    return result
            now = self.clock()
            if now + seconds > deadline:
                raise self._late(_unfinished(what, self.timeout, state()), where)
            if now >= reminder:
                reporter.line(_unfinished(what, round(now - start), state()))
                reminder = now + REMINDER_SECONDS
            self.sleep(seconds)
            seconds = min(seconds * GROWTH, self.longest)

    def _late(self, unfinished: str, where: str) -> RemoteError:
        return RemoteError(
            f"{unfinished}; it continues on the platform",
            where=where,
            hint="run the same command again to keep waiting, or raise `timeout_seconds`",
            retryable=True,
        )


def _unfinished(what: str, seconds: float, state: str) -> str:
    """Return the sentence of a wait: `the endpoint half is not done after 10 s (Creating)`."""
    return f"{what} is not done after {seconds:g} s{f' ({state})' if state else ''}"
