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
from cloudserve.storage.events import Reporter, Waited, Waiting

Result = TypeVar("Result")
GROWTH = 1.6
PATIENCE = 5
"""The number of retryable failures in a row that end a wait."""
REMINDER_SECONDS = 10.0
"""The time between lines that say that the wait continues."""


@dataclass(slots=True)
class _Wait:
    """A wait in progress, and what it reports."""

    what: str
    state: Callable[[], str]
    reporter: Reporter
    start: float
    reported: float = 0.0
    """Seconds after the start of the last line."""
    failures: int = 0

    def failed(self, error: RemoteError) -> None:
        """Count a failure; raises it if it cannot pass, or is one too many."""
        self.failures += 1
        if not error.retryable or self.failures >= PATIENCE:
            raise error
        self.reporter.line(f"{error.message}; asking again")

    def report(self, now: float) -> None:
        """Report the seconds and the state, with a line every ten seconds."""
        seconds = now - self.start
        is_due = seconds - self.reported >= REMINDER_SECONDS
        self.reporter.waiting(self.after(seconds), is_due=is_due)
        if is_due:
            self.reported = seconds

    def after(self, seconds: float) -> Waiting:
        """Return the state of the wait."""
        return Waiting(self.what, seconds, self.state())


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

        Reports the wait with `state()`, what the platform last called its state, and a line every
        ten seconds. Raises what the probe raises, except retryable errors (five in a row are one
        too many), and RemoteError at the deadline; the operation itself continues.
        """
        wait = _Wait(what, state, reporter, self.clock())
        try:
            return self._polled(probe, wait, where)
        finally:
            reporter.event(Waited())

    def _polled(self, probe: Callable[[], Result | None], wait: _Wait, where: str) -> Result:
        seconds = self.first
        while True:
            try:
                result = probe()
            except RemoteError as error:
                wait.failed(error)
            else:
                wait.failures = 0
                if result is not None:
                    return result
            now = self.clock()
            if now + seconds > wait.start + self.timeout:
                raise _late(wait.after(self.timeout), where)
            wait.report(now)
            self.sleep(seconds)
            seconds = min(seconds * GROWTH, self.longest)


def _late(wait: Waiting, where: str) -> RemoteError:
    return RemoteError(
        f"{wait.sentence}; it continues on the platform",
        where=where,
        hint="run the same command again to keep waiting, or raise `timeout_seconds`",
        retryable=True,
    )
