"""Thread-safe counters, histograms and gauges.

prometheus_client cannot print TensorFlow Serving's names: it appends `_total` to every counter's
name and adds a `_created` series. A metric holds a bounded number of series: past it, new ones are
combined as "other", so that a client that invents model names costs no memory.
"""

from __future__ import annotations

import collections
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol, TypeAlias

Labels: TypeAlias = "tuple[object, ...]"
"""The values of a metric's labels, in order; printed by `str`."""

MOST_SERIES = 10_000
OTHER = "other"
"""The label of combined series."""
_INFINITY = "+Inf"


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a metric: the suffix of its name, its labels, and a number."""

    labels: tuple[tuple[str, object], ...]
    value: float
    suffix: str = ""


class Metric(Protocol):
    """A metric that can be exposed."""

    @property
    def name(self) -> str:
        """The name, as printed."""
        ...

    @property
    def kind(self) -> str:
        """Prometheus' type: counter, gauge or histogram."""
        ...

    def samples(self) -> Iterator[Sample]:
        """Yield the current values."""
        ...


class Counter:
    """Increasing numbers, by labels."""

    kind = "counter"

    def __init__(
        self, name: str, labels: Sequence[str] = (), most_series: int = MOST_SERIES
    ) -> None:
        self.name = name
        self._labels = tuple(labels)
        self._most = most_series
        self._lock = threading.Lock()
        # A metric without labels starts at 0.
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Add `amount`."""
        with self._lock:
            value = self._values.get(labels)
            if value is None:
                labels = _bounded(labels, len(self._values), self._most)
                value = self._values.get(labels, 0)
            self._values[labels] = value + amount

    def read(self) -> dict[Labels, float]:
        """Return the current value of each combination of labels."""
        with self._lock:
            return dict(self._values)

    def samples(self) -> Iterator[Sample]:
        """Yield a sample for each combination of labels."""
        with self._lock:
            values = tuple(self._values.items())
        for labels, value in values:
            yield Sample(tuple(zip(self._labels, labels, strict=True)), value)

    def retain(self, keep: Callable[[Labels], bool]) -> None:
        """Drop the series for which `keep` is false; those combined as "other" stay."""
        with self._lock:
            _retain(self._values, keep)


class _Series:
    """The observations of one combination of labels, by bucket; the last bucket has no bound."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0


class Histogram:
    """Counts of values up to each bound, by labels."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        labels: Sequence[str] = (),
        *,
        bounds: Sequence[float],
        most_series: int = MOST_SERIES,
    ) -> None:
        """Take the increasing upper bounds of the buckets, which include them."""
        self.name = name
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._most = most_series
        self._lock = threading.Lock()
        self._series: dict[Labels, _Series] = {} if labels else {(): self._new()}

    def observe(self, labels: Labels, value: float, count: int = 1) -> None:
        """Count a value, which must not be NaN, so many times."""
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            series = self._series.get(labels) or self._series_of(labels)
            series.counts[bucket] += count
            series.total += value * count

    def observe_all(self, labels: Labels, values: Iterable[float]) -> None:
        """Count several values with the same labels."""
        for value, count in collections.Counter(values).items():
            self.observe(labels, value, count)

    def totals(self, labels: Labels = ()) -> tuple[int, float]:
        """Return how many values were observed with these labels, and their sum."""
        with self._lock:
            series = self._series.get(labels)
            return (sum(series.counts), series.total) if series else (0, 0.0)

    def sum(self) -> float:
        """Return the sum of all values."""
        with self._lock:
            return sum(series.total for series in self._series.values())

    @property
    def bounds(self) -> tuple[float, ...]:
        """Return the upper bounds of the buckets; the last bucket has none."""
        return self._bounds

    def read(self) -> dict[Labels, tuple[int, ...]]:
        """Return the counts of the buckets, for each combination of labels."""
        with self._lock:
            return {labels: tuple(series.counts) for labels, series in self._series.items()}

    def samples(self) -> Iterator[Sample]:
        """Yield the buckets, sum and count of each combination of labels."""
        with self._lock:
            read = [(labels, [*s.counts], s.total) for labels, s in self._series.items()]
        names = [*map(format_bound, self._bounds), _INFINITY]
        for values, counts, total in read:
            labels = tuple(zip(self._labels, values, strict=True))
            for name, count in zip(names, accumulate(counts), strict=True):
                yield Sample((*labels, ("le", name)), count, "_bucket")
            yield Sample(labels, total, "_sum")
            yield Sample(labels, sum(counts), "_count")

    def retain(self, keep: Callable[[Labels], bool]) -> None:
        """Drop series as `Counter.retain` does."""
        with self._lock:
            _retain(self._series, keep)

    def _series_of(self, labels: Labels) -> _Series:
        """Return the series of these labels, a new one if need be. The caller holds the lock."""
        series = self._series.get(labels)
        if series is None:
            labels = _bounded(labels, len(self._series), self._most)
            series = self._series.setdefault(labels, self._new())
        return series

    def _new(self) -> _Series:
        return _Series(len(self._bounds) + 1)


@dataclass(frozen=True, slots=True)
class Gauge:
    """Numbers read from elsewhere at each exposition; `kind` may be counter."""

    name: str
    labels: tuple[str, ...]
    read: Callable[[], Iterable[tuple[Labels, float]]]
    kind: str = "gauge"

    def samples(self) -> Iterator[Sample]:
        """Yield the values read now."""
        for labels, value in self.read():
            yield Sample(tuple(zip(self.labels, labels, strict=True)), value)


def exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """Return bounds that grow by a factor (TensorFlow's `monitoring::Buckets::Exponential`)."""
    return tuple(scale * growth**index for index in range(count))


def format_bound(bound: float) -> str:
    """Format a bound as C++ does: six significant digits."""
    return f"{bound:g}"


def _retain(series: dict[Labels, Any], keep: Callable[[Labels], bool]) -> None:
    for labels in [one for one in series if one and one[0] != OTHER and not keep(one)]:
        del series[labels]


def _bounded(labels: Labels, count: int, most: int) -> Labels:
    """Return the labels of a new series, or "other" if there are too many."""
    return labels if count < most else (OTHER,) * len(labels)
