"""Evidence from the platform's own metrics: the users' requests to both revisions.

Metrics come in periods of a minute and arrive late, so only whole minutes that ended a while ago
are counted. The test takes the requests of both revisions as independent, with probabilities that
do not change: the platform chooses a revision for each request at random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf

from cloudserve.errors import UserError
from cloudserve.release.canary.comparison import CALIBRATION, Measure
from cloudserve.release.canary.evidence import Counts
from cloudserve.release.canary.probe import Probes
from cloudserve.release.canary.record import METRICS
from cloudserve.release.canary.rules import CanaryRules
from cloudserve.release.provider import MeasuredProvider, Provider, TrafficCounts

PERIOD = 60.0
BASELINE = timedelta(hours=1)
"""The time before a canary from which the threshold of slow requests is taken."""
_PERCENTILE = 95.0
_NEVER = 1e9
"""Seconds above which a request is slow while there is no threshold."""


@dataclass(slots=True)
class Metrics:
    """The source of evidence that the platform's metrics are."""

    provider: MeasuredProvider
    model: str
    live: str
    canary: str
    rules: CanaryRules
    since: datetime
    """When the step began."""
    clock: Callable[[], float]
    now: Callable[[], datetime]
    after: Probes | None = None
    """The requests that have to pass first: the metrics would count them too."""
    due: float = 0.0
    """The monotonic time of the next look."""
    last_error: str = ""
    _threshold: float = 0.0
    _begin: datetime | None = field(init=False, default=None)
    """The beginning of the first minute that is counted."""
    _slow_since: datetime | None = field(init=False, default=None)
    _traffic: tuple[TrafficCounts, TrafficCounts] = (TrafficCounts(), TrafficCounts())
    _slow: tuple[TrafficCounts, TrafficCounts] = (TrafficCounts(), TrafficCounts())

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return what was counted."""
        rules = self.rules
        live, canary = (Counts(traffic.requests, traffic.errors) for traffic in self._traffic)
        live_slow, canary_slow = (Counts(traffic.timed, traffic.slow) for traffic in self._slow)
        return (
            Measure("errors", live, canary, rules.more_errors, METRICS),
            Measure("slow", live_slow, canary_slow, rules.more_slow, METRICS, self._threshold),
        )

    def look(self) -> None:
        """Count the minutes that are complete now."""
        if self.after is not None and not self.after.is_passed:
            self.due = self.clock() + 1.0
            return
        if self.after is not None:
            self.after.due = inf
        now = self.now()
        if self._begin is None:
            self._begin = _next_minute(self.since if self.after is None else now)
        until = _minute(now - timedelta(seconds=self.rules.metrics_delay))
        if until > self._begin:
            self._count(self._begin, until)
        next_end = _next_minute(until) + timedelta(seconds=self.rules.metrics_delay)
        self.due = self.clock() + max(1.0, (next_end - now).total_seconds())

    def _count(self, begin: datetime, until: datetime) -> None:
        self._traffic = self._both(begin, until, _NEVER)
        if self._slow_since is None:
            self._calibrate(begin, until)
        if self._slow_since is not None and until > self._slow_since:
            self._slow = self._both(self._slow_since, until, self._threshold)

    def _both(
        self, begin: datetime, until: datetime, slow: float
    ) -> tuple[TrafficCounts, TrafficCounts]:
        live, canary = (
            self.provider.count_traffic(self.model, revision, begin, until, slow)
            for revision in (self.live, self.canary)
        )
        return live, canary

    def _calibrate(self, begin: datetime, until: datetime) -> None:
        """Set the threshold from minutes that are not compared with it, as the test needs."""
        for first, last in ((begin - BASELINE, begin), (begin, until)):
            seconds, requests = self.provider.latency(
                self.model, self.live, first, last, _PERCENTILE
            )
            if requests >= CALIBRATION:
                self._threshold, self._slow_since = seconds * self.rules.slow_factor, last
                return


def _minute(moment: datetime) -> datetime:
    seconds = moment.timestamp() // PERIOD * PERIOD
    return datetime.fromtimestamp(seconds, UTC)


def _next_minute(moment: datetime) -> datetime:
    return _minute(moment) + timedelta(seconds=PERIOD)


def measured(provider: Provider, where: str) -> MeasuredProvider:
    """Return a provider that reads metrics; raises UserError if it does not."""
    if isinstance(provider, MeasuredProvider):
        return provider
    raise UserError(
        "the platform's metrics of each version cannot be read",
        where=where,
        hint="--source probes, with --requests FILE",
    )
