"""The rule of a metric alarm, and the state that its metric's values give it.

Source: CloudWatch user guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat
missing data". An alarm is evaluated every minute, over a window that ends there. CloudWatch reads
more periods than EvaluationPeriods, without saying how many; its examples read two more, as here.
It counts a value when it arrives; here a minute counts as a whole, after its end.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ..protocol.errors import AwsError
from .metric_store import MINUTE, Metric, MetricStore, Sample, sorted_dimensions
from .statistics import statistic

MORE_PERIODS = 2
_DAY = 86_400
_WEEK, _HOUR = 7 * _DAY, 3600
_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
}
_MISSING = frozenset({"breaching", "notBreaching", "ignore", "missing"})
_UNAVAILABLE = (
    "EvaluationCriteria",
    "EvaluationInterval",
    "EvaluationWindow",
    "Metrics",
    "ThresholdMetricId",
    "WarmUpConfiguration",
)


class State(StrEnum):
    """The state of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state of an alarm at one minute."""

    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """What a metric alarm compares with what."""

    metric: Metric
    stat: str
    unit: str | None
    period: int
    periods: int
    """EvaluationPeriods."""
    to_alarm: int
    """DatapointsToAlarm."""
    threshold: float
    comparison: str
    missing: str
    """TreatMissingData."""

    def evaluate(self, store: MetricStore, end: int, state: State) -> Evaluation:
        """Return the state at the minute `end`, if it was `state` before."""
        values = self._values(store, end)
        is_breaching, words = _COMPARISONS[self.comparison]
        points = [None if v is None else is_breaching(v, self.threshold) for _, v in values]
        decision = decide(points, self.periods, self.to_alarm, self.missing, state)
        known = [(begin, value) for begin, value in values if value is not None]
        if decision is State.INSUFFICIENT_DATA or not known:
            return Evaluation(decision, f"Insufficient Data: {_counted(self.periods)} unknown.")
        listed = ", ".join(_shown(*point) for point in reversed(known[-self.periods :]))
        negation = "" if decision is State.ALARM else "not "
        reason = (
            f"Threshold Crossed: {_counted(min(len(known), self.periods))} {negation}{words} the "
            f"threshold ({self.threshold}): [{listed}]."
        )
        return Evaluation(decision, reason)

    def _values(self, store: MetricStore, end: int) -> list[tuple[int, float | None]]:
        """Return the beginnings and values of the evaluation range, the oldest first."""
        count = self.periods + MORE_PERIODS
        start = end - count * self.period
        samples: dict[int, Sample] = {}
        for minute, sample in store.samples(self.metric, self.unit).items():
            if start <= minute < end:
                begin = minute - (minute - start) % self.period
                samples.setdefault(begin, Sample()).merge(sample)
        value_of = statistic(self.stat)
        begins = range(start, end, self.period)
        return [(begin, value_of(samples[begin]) if begin in samples else None) for begin in begins]


def decide(
    points: Sequence[bool | None], periods: int, to_alarm: int, missing: str, state: State
) -> State:
    """Return the state of an alarm whose range has these breaching points, the oldest first.

    None is a missing point. Real points count first, even old ones; only what is missing then
    counts as `missing` says. Few breaching points alone do not yet raise an alarm: the oldest must
    be as old as DatapointsToAlarm ("Avoiding premature transitions to alarm state").
    """
    known = [point for point in points if point is not None][-periods:]
    breaching, lacking = known.count(True), periods - len(known)
    if missing == "breaching":
        breaching += lacking
    if breaching >= to_alarm:
        return State.ALARM
    if not lacking or missing in {"breaching", "notBreaching"} or False in known:
        return State.OK
    if missing == "ignore":
        return state
    if not known:
        return State.INSUFFICIENT_DATA
    age = len(points) - points.index(True)
    return State.ALARM if age >= to_alarm else state


def read_rule(region: str, body: Mapping[str, Any]) -> AlarmRule:
    """Return the rule of a PutMetricAlarm request; raises AwsError for one that is refused."""
    for name in _UNAVAILABLE:
        if name in body:
            raise _unavailable(f"{name} of PutMetricAlarm")
    _check_members(body)
    if body["ComparisonOperator"] not in _COMPARISONS:
        raise _unavailable(f"The ComparisonOperator {body['ComparisonOperator']}")
    if body.get("EvaluateLowSampleCountPercentile") == "ignore":
        raise _unavailable("EvaluateLowSampleCountPercentile ignore")
    period, periods = body["Period"], body["EvaluationPeriods"]
    _check_periods(period, periods, body.get("DatapointsToAlarm", periods))
    dimensions = {each["Name"]: each["Value"] for each in body.get("Dimensions", [])}
    rule = AlarmRule(
        Metric(region, body["Namespace"], body["MetricName"], sorted_dimensions(dimensions)),
        body.get("Statistic") or body["ExtendedStatistic"],
        body.get("Unit"),
        period,
        periods,
        body.get("DatapointsToAlarm", periods),
        float(body["Threshold"]),
        body["ComparisonOperator"],
        body.get("TreatMissingData", "missing"),
    )
    statistic(rule.stat)
    return rule


_NEEDED = (
    "MetricName", "Namespace", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator",
)  # fmt: skip
"""Botocore's model does not require them, because other kinds of alarms do not have them."""


def _check_members(body: Mapping[str, Any]) -> None:
    for name in _NEEDED:
        if name not in body:
            raise _invalid(f"The parameter {name} is required.", "MissingParameter")
    if ("Statistic" in body) == ("ExtendedStatistic" in body):
        raise _invalid(
            "Exactly one of the parameters Statistic and ExtendedStatistic must be specified.",
            "InvalidParameterCombination",
        )
    if body.get("TreatMissingData", "missing") not in _MISSING:
        raise _invalid(f"{body['TreatMissingData']} is not a valid value for TreatMissingData.")


def _check_periods(period: int, periods: int, to_alarm: int) -> None:
    if period in {10, 20, 30}:
        raise _unavailable(f"A Period of {period} seconds (high resolution)")
    if period % MINUTE:
        raise _invalid("Period must be 10, 20, 30 or a multiple of 60.")
    if to_alarm > periods:
        raise _invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    if period * periods > (_WEEK if period >= _HOUR else _DAY):
        days = "seven days" if period >= _HOUR else "a day"
        raise _invalid(f"Metrics cannot be checked across more than {days}.")


def _counted(number: int) -> str:
    return "1 datapoint was" if number == 1 else f"{number} datapoints were"


def _shown(begin: int, value: float) -> str:
    return f"{value} ({datetime.fromtimestamp(begin, UTC):%d/%m/%y %H:%M:%S})"


def _invalid(message: str, kind: str = "ValidationError") -> AwsError:
    return AwsError(kind, message)


def _unavailable(what: str) -> AwsError:
    return AwsError("UnsupportedOperationException", f"{what} is not available offline.")
