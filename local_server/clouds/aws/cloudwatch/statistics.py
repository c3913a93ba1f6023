"""Statistics of a metric's periods: SampleCount, Average, Sum, Minimum, Maximum, pNN, PR(a:b).

Sources: the documentation of GetMetricStatistics, and "CloudWatch statistics definitions". Periods
begin at the request's start (boto3#3457), which is rounded down to a minute, or more for old data.
A percentile is the smallest value that the share of all values does not exceed (nearest rank); a
percentile rank counts the values above the lower and up to the upper bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf

from ..protocol.errors import AwsError
from .metric_store import MINUTE, Metric, MetricStore, Sample

_DAY = 86_400
_RETENTION = ((63 * _DAY, 3600), (15 * _DAY, 300))
"""The age of a start above which a period is a multiple of so many seconds."""
_FINE_PERIODS = (1, 5, 10, 20, 30)
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100(?:\.0{1,10})?)")
_RANK = re.compile(r"PR\((\d*\.?\d*):(\d*\.?\d*)\)")
_HUNDRED = 100.0

Statistic = Callable[[Sample], float | None]
SIMPLE: dict[str, Statistic] = {
    "SampleCount": lambda sample: sample.count,
    "Average": lambda sample: sample.sum / sample.count,
    "Sum": lambda sample: sample.sum,
    "Minimum": lambda sample: sample.minimum,
    "Maximum": lambda sample: sample.maximum,
}


@dataclass(frozen=True, slots=True)
class Range:
    """The periods of a request: `start` is included, `end` is not."""

    start: int
    end: float
    period: int
    is_kept: bool
    """Whether data of this period is still kept for the start."""

    @classmethod
    def of(cls, start: float, end: float, period: int, now: float) -> Range:
        """Return the periods; raises ValueError for times and periods that do not fit."""
        if start == end:  # the message: elastic/beats#32687, telegraf#2022
            raise ValueError("The parameter StartTime must not equal parameter EndTime.")
        if start > end:
            raise ValueError("The parameter StartTime must be less than the parameter EndTime.")
        if period % MINUTE and period not in _FINE_PERIODS:
            raise ValueError("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
        finest = next((least for age, least in _RETENTION if now - start > age), MINUTE)
        unit = min(period, finest) if finest == MINUTE else finest
        is_kept = finest == MINUTE or period % finest == 0
        return cls(int(start // unit) * unit, end, period, is_kept)

    @property
    def periods(self) -> int:
        """Return the number of periods."""
        return ceil((self.end - self.start) / self.period)

    def samples(self, store: MetricStore, metric: Metric, unit: str | None) -> dict[int, Sample]:
        """Return the periods that have values, by their beginning, in order."""
        totals: dict[int, Sample] = {}
        if not self.is_kept:
            return totals
        for minute, sample in sorted(store.samples(metric, unit).items()):
            if self.start <= minute < self.end:
                begin = minute - (minute - self.start) % self.period
                totals.setdefault(begin, Sample()).merge(sample)
        return totals


def statistic(name: str) -> Statistic:
    """Return a statistic by its name; raises AwsError if there is none of this name offline."""
    if name in SIMPLE:
        return SIMPLE[name]
    if match := _PERCENTILE.fullmatch(name):
        share = float(match[1]) / _HUNDRED
        return lambda sample: percentile(sample, share)
    match = _RANK.fullmatch(name)
    if match and match[1] + match[2]:
        low, high = float(match[1] or -inf), float(match[2] or inf)
        return lambda sample: rank(sample, low, high)
    if re.fullmatch(r"(tm|wm|tc|ts)\d.*|(TM|WM|TC|TS)\(.*\)|IQM", name):
        raise AwsError(
            "UnsupportedOperationException", f"The statistic {name} is not available offline."
        )
    raise AwsError(
        "InvalidParameterValue", f"The value {name} for parameter Stat is not a statistic."
    )


def percentile(sample: Sample, share: float) -> float | None:
    """Return a percentile by nearest rank; None if single values are not known, or negative."""
    if not sample.has_all_values or sample.minimum < 0:
        return None
    counted, wanted = 0.0, share * sample.count
    for value in sorted(sample.values):
        counted += sample.values[value]
        if counted >= wanted - 1e-9:
            return min(max(value, sample.minimum), sample.maximum)
    return sample.maximum


def rank(sample: Sample, low: float, high: float) -> float | None:
    """Return the percentage of values above `low` and up to `high`; None as for `percentile`."""
    if not sample.has_all_values or sample.minimum < 0:
        return None
    inside = sum(count for value, count in sample.values.items() if low < value <= high)
    return _HUNDRED * inside / sample.count
