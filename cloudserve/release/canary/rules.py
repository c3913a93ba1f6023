"""The rules of a canary: its steps, what it must not do worse, and for how long it is watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from math import log

from cloudserve.errors import UserError
from cloudserve.release.traffic import ALL


class Source(StrEnum):
    """Whose requests a canary is judged by."""

    PROBES = "probes"
    """Requests that cloudserve sends to both revisions."""
    METRICS = "metrics"
    """The users' requests, from the platform's metrics."""
    BOTH = "both"
    """First the probes; the metrics from the minute after they have passed."""


@dataclass(frozen=True, slots=True)
class CanaryRules:
    """How a canary gets its traffic, and the evidence that it needs for each step."""

    steps: tuple[int, ...] = (10, 50)
    """Percentages of the traffic, rising, before it gets all."""
    more_errors: float = 0.02
    """A share of requests: a canary passes if it fails at most so many more than the live one."""
    more_slow: float = 0.05
    """The same for slow requests."""
    max_shift: float = 0.0
    """The most that a class's share of the predictions may differ; 0 compares no predictions."""
    more_wrong: float = 0.0
    """The same for labelled requests that are answered wrong; 0 compares none."""
    slow_factor: float = 1.5
    """A request is slow if it takes this many times the live revision's 95th percentile."""
    false_alarm: float = 0.01
    """The greatest probability that a canary as good as the live revision is rolled back."""
    false_pass: float = 0.05
    """The greatest probability that one beyond a margin passes a step."""
    hold: float = 0.0
    """The least seconds of a step."""
    holds: Mapping[int, float] = field(default_factory=dict)
    """The same for some steps, by percentage."""
    deadline: float = 1800.0
    """The most seconds of all steps; then the canary is rolled back."""
    rate: float = 50.0
    """The most requests to each revision per second."""
    source: Source = Source.PROBES
    """Whose requests are counted."""
    metrics_delay: float = 120.0
    """The seconds after a minute's end until its metrics are taken as complete."""

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise(self.steps))
        if not self.steps or not rising or not all(1 <= step < ALL for step in self.steps):
            raise UserError(
                f"{', '.join(map(str, self.steps)) or 'nothing'} are not steps of a canary",
                hint="give rising percentages from 1 to 99, such as 1,10,50",
            )
        for name in ("more_errors", "more_slow", "false_alarm", "false_pass"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(
                    f"`{name}` of a canary is a share between 0 and 1", hint="give one such as 0.05"
                )
        for name, option in (("max_shift", "--max-shift"), ("more_wrong", "--max-wrong")):
            self._check_answers(name, option)
        if self.metrics_delay < 0:
            raise UserError("`metrics_delay` of a canary is negative", hint="give seconds")
        least = [self.least_seconds(step) for step in self.steps]
        if not (self.slow_factor >= 1 and self.rate > 0 and min(least) >= 0):
            raise UserError(
                "the times of a canary do not fit",
                hint="`hold` is at least 0, `rate` more than 0, `slow_factor` at least 1",
            )
        if not self.deadline > sum(least):
            raise UserError(
                f"the steps of a canary take {sum(least):g} s at least, and its deadline is "
                f"{self.deadline:g} s",
                hint="`deadline` is for all steps together, and more than their `hold`",
            )

    def _check_answers(self, name: str, option: str) -> None:
        """Raise UserError for a bound on answers that is not a share, or without answers."""
        share = getattr(self, name)
        if not 0 <= share < 1:
            raise UserError(
                f"`{name}` of a canary is a share below 1",
                hint="give one such as 0.02; 0 compares none",
            )
        if share and self.source is Source.METRICS:
            raise UserError(
                f"`{name}` of a canary compares the answers to requests that cloudserve sends",
                hint=f"compare none: {option} 0; or send requests, too: --source both",
            )

    def least_seconds(self, percent: int) -> float:
        """Return the least seconds of a step."""
        return self.holds.get(percent, self.hold)

    @property
    def alarm_evidence(self) -> float:
        """Return the log evidence that ends a canary: false_alarm, for all tests of all steps."""
        tests = (
            (4 if self.source is Source.BOTH else 2) + bool(self.max_shift) + bool(self.more_wrong)
        )
        return log(tests * len(self.steps) / self.false_alarm)

    @property
    def pass_evidence(self) -> float:
        """Return the log evidence that each test needs for a canary to pass a step."""
        return -log(self.false_pass)
