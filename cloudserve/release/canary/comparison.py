"""The comparison of a canary with the live revision at one step of its traffic."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from statistics import quantiles

from cloudserve.release.canary.evidence import Counts, more_often, not_much_more_often
from cloudserve.release.canary.record import CanaryRecord, Measured
from cloudserve.release.canary.rules import CanaryRules

CALIBRATION = 50
"""Requests to each revision before the threshold of slow ones is set."""

PROBES = "probes"
"""The requests that cloudserve sends."""
_LARGEST = 700.0
"""The log of the largest e-value that is written; a double ends at 709."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request: its seconds, and the error's text if it failed."""

    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """The counts of one kind of event on both revisions, and what they prove."""

    name: str
    """`errors` or `slow`."""
    live: Counts
    canary: Counts
    margin: float
    """The greatest difference of shares that is accepted."""
    source: str = PROBES
    """Whose requests are counted."""
    threshold: float = 0.0
    """The seconds of a slow request, where that is the event."""

    @property
    def worse(self) -> float:
        """Return the log evidence that the event is more probable on the canary."""
        return more_often(self.live, self.canary)

    @property
    def passed(self) -> float:
        """Return the log evidence that it is less probable than on the live one and the margin."""
        return not_much_more_often(self.live, self.canary, self.margin)

    @property
    def requests(self) -> str:
        """Return the numbers of requests: `564 requests each`."""
        live, canary = self.live.requests, self.canary.requests
        return f"{canary} requests each" if live == canary else f"{canary} requests (live {live})"

    @property
    def recorded(self) -> Measured:
        """Return the counts with their e-values, as the ledger keeps them."""
        return Measured(
            self.name,
            self.source,
            self.live,
            self.canary,
            self.margin,
            e_worse=_e_value(self.worse),
            e_passed=_e_value(self.passed),
            threshold=self.threshold,
        )

    def __str__(self) -> str:
        """Return the shares: `errors 3.2% (live 0.1%)`."""
        return f"{self.name} {self.canary.share:.1%} (live {self.live.share:.1%})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the measures of a step prove under the rules."""

    measures: tuple[Measure, ...]
    rules: CanaryRules

    @property
    def worse(self) -> Measure | None:
        """Return the measure that proves the canary worse, if there is one."""
        limit = self.rules.alarm_evidence
        return next((measure for measure in self.measures if measure.worse >= limit), None)

    @property
    def is_passed(self) -> bool:
        """Return whether every measure proves the canary to be within its margin."""
        limit = self.rules.pass_evidence
        return all(measure.passed >= limit for measure in self.measures)

    @property
    def weakest(self) -> Measure:
        """Return the measure that proves least."""
        return min(self.measures, key=lambda measure: measure.passed)

    def __str__(self) -> str:
        """Return what was measured: `564 requests to each: errors 0.0% (live 0.0%), …`."""
        found = ", ".join(map(str, self.measures))
        return f"{self.measures[0].live.requests} requests to each: {found}"


@dataclass(slots=True)
class Comparison:
    """The answers of both revisions to the same requests, at one step."""

    rules: CanaryRules
    threshold: float = 0.0
    """The seconds of a slow request; 0 during the calibration."""
    last_error: str = ""
    """The text of the canary's last failure."""
    _errors: tuple[Counts, Counts] = (Counts(), Counts())
    _slow: tuple[Counts, Counts] = (Counts(), Counts())
    _live_seconds: list[float] = field(default_factory=list)

    @classmethod
    def continued(cls, rules: CanaryRules, record: CanaryRecord) -> Comparison:
        """Return a comparison with the counts of an earlier run at the same step.

        The answers after its last record are not counted. That leaves the test valid: what ended
        that run did not know the evidence.
        """
        found = cls(rules)
        if errors := record.find("errors", PROBES):
            found._errors = errors.live, errors.canary
        if slow := record.find("slow", PROBES):
            found._slow, found.threshold = (slow.live, slow.canary), slow.threshold
        return found

    @property
    def requests(self) -> int:
        """Return the number of requests to each revision."""
        return self._errors[0].requests

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return what was counted."""
        rules = self.rules
        return (
            Measure("errors", *self._errors, rules.more_errors),
            Measure("slow", *self._slow, rules.more_slow, threshold=self.threshold),
        )

    @property
    def evidence(self) -> Evidence:
        """Return what the counts prove."""
        return Evidence(self.measures, self.rules)

    def add(self, live: Answer, canary: Answer) -> None:
        """Count the answers of both revisions to one request."""
        self.last_error = canary.error or self.last_error
        self._errors = _add(self._errors, bool(live.error), bool(canary.error))
        if self.threshold:
            slow = (answer.seconds > self.threshold for answer in (live, canary))
            self._slow = _add(self._slow, *slow)
            return
        # The threshold is fixed before the requests that are compared with it, as the test needs.
        self._live_seconds.append(live.seconds)
        if len(self._live_seconds) == CALIBRATION:
            self.threshold = quantiles(self._live_seconds, n=20)[-1] * self.rules.slow_factor


def _add(counts: tuple[Counts, Counts], live: bool, canary: bool) -> tuple[Counts, Counts]:
    return counts[0].add(event=live), counts[1].add(event=canary)


def _e_value(evidence: float) -> float:
    return float(f"{exp(min(evidence, _LARGEST)):.4g}")


def odds_of_chance(evidence: float) -> str:
    """Return the probability that evidence arises by chance, such as `1 in 2,300`."""
    return f"1 in {exp(min(evidence, 40.0)):,.0f}"


def requests_needed(rules: CanaryRules, share: float = 0.0) -> int:
    """Return about how many requests to each revision a step needs if both are equally good.

    `share` is the share of requests that fail or are slow.
    """
    margin = min(rules.more_errors, rules.more_slow)
    fewest, most = 1, 2
    while not_much_more_often(_even(most, share), _even(most, share), margin) < rules.pass_evidence:
        fewest, most = most, most * 2
    while most - fewest > 1:
        middle = (fewest + most) // 2
        counts = _even(middle, share)
        if not_much_more_often(counts, counts, margin) < rules.pass_evidence:
            fewest = middle
        else:
            most = middle
    return most + CALIBRATION


def _even(requests: int, share: float) -> Counts:
    return Counts(requests, round(requests * share))
