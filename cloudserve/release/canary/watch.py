"""One step of a canary while it is watched, until its evidence or the deadline decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from cloudserve.errors import CheckFailedError
from cloudserve.release.canary.comparison import Evidence, Measure, odds_of_chance
from cloudserve.release.canary.journal import Journal
from cloudserve.release.canary.record import CanaryRecord, Decision
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.storage.events import Reporter

REPORT_SECONDS = 5.0
"""The time between two lines of progress, and the least between two records."""
CHECK_SECONDS = 30.0
"""The most time until a release of somebody else is noticed."""
GROWTH = 1.25
"""A step is recorded when it has this many times the requests of its last record.

So a step of any length has few records, and a kill loses a fifth of its evidence at most.
"""


class CanaryEndedError(CheckFailedError):
    """The evidence of a canary, or its deadline, decided against it."""

    def __init__(
        self, decision: Decision, message: str, *, where: str, hint: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.decision = decision


class Source(Protocol):
    """A source of evidence at one step."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return what was counted."""
        ...

    @property
    def due(self) -> float:
        """Return the monotonic time of the next look."""
        ...

    @property
    def last_error(self) -> str:
        """Return the text of the canary's last failure; "" if it is not known."""
        ...

    def look(self) -> None:
        """Count what can be counted now."""
        ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of a canary."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def since(self, moment: datetime) -> float:
        """Return the monotonic time of a moment that another process may have recorded."""
        return self.monotonic() - (self.now() - moment).total_seconds()


@dataclass(slots=True)
class Watch:
    """One step while it is watched. Blocks."""

    revision: str
    percent: int
    record: CanaryRecord
    """What was last recorded of the step."""
    sources: tuple[Source, ...]
    rules: CanaryRules
    journal: Journal
    reporter: Reporter
    clocks: Clocks
    _reported: float = field(init=False)
    _checked: float = field(init=False)

    @property
    def evidence(self) -> Evidence:
        """Return what the counts of all sources prove."""
        return Evidence(tuple(m for source in self.sources for m in source.measures), self.rules)

    def known(self, decision: Decision = Decision.WATCHING, reason: str = "") -> CanaryRecord:
        """Return the record of what is known now."""
        measures = tuple(measure.recorded for measure in self.evidence.measures)
        return replace(self.record, decision=decision, reason=reason, measures=measures)

    def until_passed(self) -> Evidence:
        """Watch until the step is passed, and record that; raise CanaryEndedError if it is not."""
        self._reported = self._checked = now = self.clocks.monotonic()
        hold = self.clocks.since(self.record.since) + self.rules.least_seconds(self.percent)
        deadline = self.clocks.since(self.record.begun) + self.rules.deadline
        while True:
            for source in self.sources:
                if source.due <= now:
                    source.look()
            evidence, now = self.evidence, self.clocks.monotonic()
            if worse := evidence.worse:
                raise self._is_worse(worse)
            if now >= hold and evidence.is_passed:
                self.journal.note(self.known(Decision.PASSED, str(evidence)))
                self.reporter.line(f"{self.percent} %: passed after {evidence}")
                return evidence
            if now >= deadline:
                raise self._is_undecided(evidence)
            self._report(evidence, now)
            due = min(source.due for source in self.sources)
            if (wait := min(due, deadline) - now) > 0.0:
                self.clocks.sleep(wait)
                now = self.clocks.monotonic()

    def _report(self, evidence: Evidence, now: float) -> None:
        """Print and record the evidence from time to time, and look for other releases."""
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self.reporter.line(f"{self.percent} %: {evidence}")
            if _requests(self.known()) > GROWTH * _requests(self.record):
                self.record = self.known()
                self.journal.note(self.record)
                self._checked = now
        if now - self._checked >= CHECK_SECONDS:
            self._checked = now
            self.journal.check()

    def _is_worse(self, worse: Measure) -> CanaryEndedError:
        errors = (source.last_error for source in self.sources if source.last_error)
        error = next(errors, "") if worse.name == "errors" else ""
        return CanaryEndedError(
            Decision.WORSE,
            f"{self.revision} is worse than {self.record.live} at {self.percent} % of the traffic: "
            f"{worse} of {worse.requests}; the chance of this between equal revisions is "
            f"at most {odds_of_chance(worse.worse)}{error and f': {error}'}",
            where=self.journal.where,
        )

    def _is_undecided(self, evidence: Evidence) -> CanaryEndedError:
        weakest = evidence.weakest
        return CanaryEndedError(
            Decision.UNDECIDED,
            f"{self.revision} is undecided at {self.percent} % of the traffic after "
            f"{self.rules.deadline:.0f} s: {weakest} of {weakest.requests} do not "
            f"prove a difference of less than {weakest.margin:.0%}",
            where=self.journal.where,
            hint="set a later deadline, or a greater margin",
        )


def _requests(record: CanaryRecord) -> int:
    return sum(measured.live.requests + measured.canary.requests for measured in record.measures)
