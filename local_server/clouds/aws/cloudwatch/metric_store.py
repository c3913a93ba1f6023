"""Metrics in memory: for each minute their count, sum, extremes, and how often each value came.

Values are kept to three significant digits, which bounds the memory of a metric; count, sum and
extremes are exact. A restart of the emulator begins with empty metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

MINUTE = 60
Dimensions = tuple[tuple[str, str], ...]
"""Names and values, sorted: CloudWatch treats each combination as a separate metric."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The identity of a metric."""

    region: str
    namespace: str
    name: str
    dimensions: Dimensions = ()


@dataclass(slots=True)
class Sample:
    """The values of a metric in one period."""

    count: float = 0.0
    sum: float = 0.0
    minimum: float = inf
    maximum: float = -inf
    values: dict[float, float] = field(default_factory=dict)
    """The number of times that each value came."""
    has_all_values: bool = True
    """Whether percentiles are known: a statistic set has none, unless its values are equal."""

    def add(self, value: float, count: float = 1.0) -> None:
        """Count a value."""
        rounded = float(f"{value:.3g}")
        self.values[rounded] = self.values.get(rounded, 0.0) + count
        self._extend(count, value * count, value, value)

    def add_set(self, count: float, total: float, minimum: float, maximum: float) -> None:
        """Count values that are only known together."""
        if minimum == maximum:
            self.add(minimum, count)
            return
        self._extend(count, total, minimum, maximum)
        self.has_all_values = False

    def merge(self, other: Sample) -> None:
        """Count the values of another period."""
        self._extend(other.count, other.sum, other.minimum, other.maximum)
        self.has_all_values &= other.has_all_values
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + count

    def _extend(self, count: float, total: float, minimum: float, maximum: float) -> None:
        self.count += count
        self.sum += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)


class MetricStore:
    """The metrics of all regions, by minute and unit."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._metrics: dict[Metric, dict[tuple[int, str], Sample]] = {}

    def now(self) -> float:
        """Return the time in seconds."""
        return self._now()

    def sample(self, metric: Metric, unit: str = "None", time: float | None = None) -> Sample:
        """Return the sample of a minute, the present one by default, to add values to."""
        at = self._now() if time is None else time
        minute = int(at // MINUTE) * MINUTE
        return self._metrics.setdefault(metric, {}).setdefault((minute, unit), Sample())

    def samples(self, metric: Metric, unit: str | None) -> Mapping[int, Sample]:
        """Return a metric's samples by minute; all units together if `unit` is None."""
        samples: dict[int, Sample] = {}
        for (minute, sample_unit), sample in self._metrics.get(metric, {}).items():
            if unit in {None, sample_unit}:
                samples.setdefault(minute, Sample()).merge(sample)
        return samples

    def units(self, metric: Metric) -> list[str]:
        """Return the units that a metric was published with, sorted."""
        return sorted({unit for _, unit in self._metrics.get(metric, {})})

    def metrics(self, region: str) -> Iterator[tuple[Metric, int]]:
        """Yield the metrics of a region, with the minute of their last value."""
        for metric, samples in self._metrics.items():
            if metric.region == region:
                yield metric, max(minute for minute, _ in samples)


def sorted_dimensions(pairs: Mapping[str, str]) -> Dimensions:
    """Return dimensions in the order that identifies a metric."""
    return tuple(sorted(pairs.items()))
