"""The comparison of a canary with the live revision at one step of its traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp, log
from statistics import quantiles

from cloudserve.plural import counted
from cloudserve.release.canary.accuracy import (
    Pairs,
    labelled_needed,
    not_much_more_wrong,
    wrong_more_often,
)
from cloudserve.release.canary.evidence import Counts, more_often, not_much_more_often
from cloudserve.release.canary.predictions import Classes
from cloudserve.release.canary.record import CLASS, PROBES, CanaryRecord, Measured
from cloudserve.release.canary.rules import CanaryRules, Source
from cloudserve.release.traffic import ALL

CALIBRATION = 50
"""Requests to each revision before the threshold of slow ones is set."""

_LARGEST = 700.0
"""The log of the largest e-value that is written; a double ends at 709."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request: its seconds, and the error's text if it failed."""

    seconds: float
    error: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Measure:
    """The counts of one kind of event on both revisions, and what they prove."""

    name: str
    """`errors`, `slow`, or `class NAME`."""
    live: Counts
    canary: Counts
    margin: float
    """The greatest difference of shares that is accepted."""
    source: str = PROBES
    """Whose requests are counted."""
    threshold: float = 0.0
    """The seconds of a slow request, where that is the event."""
    unknown: int = 0
    """Events of which the platform did not say the revision; a canary passes as if all were its."""

    classes: int = 0
    """The number of classes, of which this is one; 0 for an event that must not come more often."""
    pairs: Pairs | None = None
    """The outcomes of labelled requests, where a wrong answer is the event."""

    @property
    def worse(self) -> float:
        """Return the log evidence that the event is more probable on the canary.

        That of a class is that its share differs by more than the margin.
        """
        if self.pairs is not None:
            return wrong_more_often(self.pairs)
        if not self.classes:
            return more_often(self.live, self.canary)
        pair = ((self.live, self.canary), (self.canary, self.live))
        evidence = max(more_often(*counts, self.margin) for counts in pair)
        return max(0.0, evidence - log(2 * self.classes))

    @property
    def passed(self) -> float:
        """Return the log evidence that it is less probable than on the live one and the margin.

        That of a class is that its share differs by less than the margin.
        """
        if self.pairs is not None:
            return not_much_more_wrong(self.pairs, self.margin)
        if self.classes:
            pair = ((self.live, self.canary), (self.canary, self.live))
            return min(not_much_more_often(*counts, self.margin) for counts in pair)
        blamed = Counts(self.canary.requests + self.unknown, self.canary.events + self.unknown)
        return not_much_more_often(self.live, blamed, self.margin)

    @property
    def requests(self) -> str:
        """Return the numbers of requests: `564 requests each`."""
        live, canary = self.live.requests, self.canary.requests
        requests = counted(canary, "request")
        return f"{requests} each" if live == canary else f"{requests} (live {live})"

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
        unknown = f" and {self.unknown} of an unknown version" if self.unknown else ""
        return f"{self.name} {self.canary.share:.1%} (live {self.live.share:.1%}){unknown}"


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
        sources = dict.fromkeys(measure.source for measure in self.measures)
        return "; ".join(map(self._described, sources))

    def _described(self, source: str) -> str:
        own = [m for m in self.measures if m.source == source and not m.classes]
        labelled = [m for m in own if m.pairs is not None]
        own = [m for m in own if m.pairs is None]
        classes = [m for m in self.measures if m.source == source and m.classes]
        if classes:
            own.append(max(classes, key=lambda m: abs(m.live.share - m.canary.share)))
        live, canary = own[0].live.requests, own[0].canary.requests
        of_users = "" if source == PROBES else " of users"
        requests = counted(canary, "request")
        each = f"{requests}{of_users} (live {live})"
        if source == PROBES and live == canary:
            each = f"{requests} to each"
        more = [f"{m} of {m.canary.requests} labelled" for m in labelled]
        return f"{each}: {', '.join([*map(str, own), *more])}"


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
    _unknown: int = 0
    _live_seconds: list[float] = field(default_factory=list)
    _classes: Classes = field(default_factory=lambda: Classes(CALIBRATION))
    _pairs: Pairs = field(default_factory=Pairs)
    _labelled: set[bytes] = field(default_factory=set)

    @classmethod
    def continued(cls, rules: CanaryRules, record: CanaryRecord) -> Comparison:
        """Return a comparison with the counts of an earlier run at the same step.

        The answers after its last record are not counted, and labelled requests are all sent again.
        That leaves the tests valid: what ended that run did not know the evidence.
        """
        comparison = cls(rules)
        if errors := record.find("errors", PROBES):
            comparison._errors = errors.live, errors.canary
        if slow := record.find("slow", PROBES):
            comparison._slow, comparison.threshold = (slow.live, slow.canary), slow.threshold
        comparison._classes.continue_from(record)
        return comparison

    @property
    def requests(self) -> int:
        """Return the number of requests to each revision."""
        return self._errors[0].requests

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return what was counted."""
        rules = self.rules
        return (
            Measure("errors", *self._errors, rules.more_errors, unknown=self._unknown),
            Measure("slow", *self._slow, rules.more_slow, threshold=self.threshold),
            *(self._shifts() if rules.max_shift else ()),
            *(self._wrong() if rules.more_wrong else ()),
        )

    def _wrong(self) -> Iterator[Measure]:
        pairs = self._pairs
        yield Measure("wrong", pairs.live, pairs.canary, self.rules.more_wrong, pairs=pairs)

    def add_labelled(self, body: bytes, *, live: bool, canary: bool) -> None:
        """Count whether the answers to a labelled request are right, once for each request."""
        if body not in self._labelled:
            self._labelled.add(body)
            self._pairs = self._pairs.add(live=live, canary=canary)

    def _shifts(self) -> Iterator[Measure]:
        counts = self._classes.counts()
        if not counts:  # a canary does not pass before its predictions are compared
            yield Measure(f"{CLASS}not known", Counts(), Counts(), self.rules.max_shift, classes=1)
        for name, end, live, canary in counts:
            yield Measure(
                f"{CLASS}{name}",
                live,
                canary,
                self.rules.max_shift,
                threshold=end,
                classes=len(counts),
            )

    @property
    def evidence(self) -> Evidence:
        """Return what the counts prove."""
        return Evidence(self.measures, self.rules)

    def add(self, live: Answer, canary: Answer) -> None:
        """Count the answers of both revisions to one request."""
        # First the canary's: it is not compared with a threshold that the live one's then sets.
        self.add_canary(canary)
        self.add_live(live)

    def add_live(self, answer: Answer) -> None:
        """Count an answer of the live revision."""
        if self.rules.max_shift and not answer.error:
            self._classes.add_live(answer.body)
        live, canary = self._errors
        self._errors = live.add(event=bool(answer.error)), canary
        if self.threshold:
            live, canary = self._slow
            self._slow = live.add(event=answer.seconds > self.threshold), canary
            return
        # The threshold is fixed before the requests that are compared with it, as the test needs.
        self._live_seconds.append(answer.seconds)
        if len(self._live_seconds) == CALIBRATION:
            self.threshold = quantiles(self._live_seconds, n=20)[-1] * self.rules.slow_factor

    def add_canary(self, answer: Answer) -> None:
        """Count an answer of the canary."""
        if self.rules.max_shift and not answer.error:
            self._classes.add_canary(answer.body)
        self.last_error = answer.error or self.last_error
        live, canary = self._errors
        self._errors = live, canary.add(event=bool(answer.error))
        if self.threshold:
            live, canary = self._slow
            self._slow = live, canary.add(event=answer.seconds > self.threshold)

    def add_unknown(self, error: str) -> None:
        """Count a failure of which the platform did not say the revision."""
        self.last_error = error
        self._unknown += 1


def _e_value(evidence: float) -> float:
    return float(f"{exp(min(evidence, _LARGEST)):.4g}")


def odds_of_chance(evidence: float) -> str:
    """Return the probability that evidence arises by chance, such as `1 in 2,300`."""
    return f"1 in {exp(min(evidence, 40.0)):,.0f}"


def requests_needed(rules: CanaryRules, share: float = 0.0, percent: int = ALL // 2) -> int:
    """Return about how many requests to the canary a step needs if both are equally good.

    `share` is the share of requests that fail or are slow, `percent` the canary's percentage of
    the requests.
    """
    margin = min(rules.more_errors, rules.more_slow)

    def is_enough(requests: int) -> bool:
        live = Counts(n := requests * (ALL - percent) // percent, round(n * share))
        canary = Counts(requests, round(requests * share))
        return not_much_more_often(live, canary, margin) >= rules.pass_evidence

    fewest, most = 1, 2
    while not is_enough(most):
        fewest, most = most, most * 2
    while most - fewest > 1:
        middle = (fewest + most) // 2
        fewest, most = (fewest, middle) if is_enough(middle) else (middle, most)
    return most + CALIBRATION


def announced(rules: CanaryRules, *, by_split: bool = False) -> str:
    """Return how many requests a step needs, and how late those of users are counted.

    `by_split` is whether the platform's traffic split chooses the revision of each request.
    """
    first = min(rules.steps)
    needed = requests_needed(rules, percent=first) - CALIBRATION
    to_canary = (
        f"about {counted(needed, 'request')} to the canary if none fails, which at {first} % of "
        f"the traffic are about {needed * ALL // first:,} in all"
    )
    requests = counted(requests_needed(rules), "request")
    sent = f"each step needs about {requests} to each revision if none fails"
    if rules.more_wrong:
        labelled = labelled_needed(rules.more_wrong, rules.pass_evidence)
        sent += f", {labelled} of them labelled"
    if by_split:
        seconds = needed * ALL / first / rules.rate
        sent = f"a step needs {to_canary}: {seconds:,.0f} s at {rules.rate:g} per second"
    if rules.source is Source.PROBES:
        return sent
    users = (
        f"a step needs {to_canary}, of users; metrics come a minute at a time, and each is counted "
        f"{rules.metrics_delay:.0f} s after its end"
    )
    return users if rules.source is Source.METRICS else f"{sent}; then {users}"
