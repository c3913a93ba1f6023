"""Rates, errors and latencies between two moments, from counters that a server has anyway.

Quantiles are read from the buckets of a histogram, so they are as coarse as its bounds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..monitoring.instruments import Labels
from ..monitoring.serving_metrics import BatchMetrics, ServingMetrics

_QUANTILES = (0.5, 0.9, 0.99)
_MILLIS = 1e3
_MICROS = 1e6
_OK = "OK"
_STATUS = 4
"""The place of the status in the labels of the requests' counter."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The requests to a version in an interval; `millis` are quantiles, None without a request."""

    model: str
    version: str
    requests: int
    errors: int
    millis: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """The requests in an interval: all together, and of each version that had any."""

    time: float
    seconds: float
    total: Rates
    versions: tuple[Rates, ...]
    statuses: Mapping[str, int]
    """How many requests ended with each status but OK."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A histogram: upper bounds, the last one open, and the counts up to each."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The requests that wait to be batched."""

    model: str
    version: str
    depth: int


@dataclass(frozen=True, slots=True)
class Batching:
    """The batches since the start of the server."""

    rule: str
    sizes: Bars
    request_sizes: Bars
    wait_millis: Bars
    rows: int
    """The rows of all batches, with their padding."""
    padded_rows: int
    waiting: tuple[Waiting, ...]


class TrafficMeter:
    """Compares the counters of a server with those of the call before."""

    def __init__(self, metrics: ServingMetrics, now: float) -> None:
        self._metrics = metrics
        self._time = now
        self._requests = metrics.requests.read()
        self._seconds = metrics.seconds.read()

    def read(self, now: float) -> Traffic:
        """Return the traffic since the last call."""
        requests, seconds = self._metrics.requests.read(), self._metrics.seconds.read()
        new = {k: _since(n, self._requests.get(k, 0)) for k, n in requests.items()}
        times = {k: _minus(counts, self._seconds.get(k)) for k, counts in seconds.items()}
        interval, self._time = now - self._time, now
        self._requests, self._seconds = requests, seconds
        return self._traffic(now, interval, {k: int(n) for k, n in new.items() if n > 0}, times)

    def _traffic(
        self,
        now: float,
        interval: float,
        requests: Mapping[Labels, int],
        times: Mapping[Labels, Sequence[int]],
    ) -> Traffic:
        bounds = self._metrics.seconds.bounds
        counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        statuses: dict[str, int] = defaultdict(int)
        for labels, number in requests.items():
            one = counts[_version(labels)]
            one[0] += number
            if (status := str(labels[_STATUS])) != _OK:
                one[1] += number
                statuses[status] += number
        buckets: dict[tuple[str, str], list[int]] = {}
        for labels, number_of in times.items():
            key = _version(labels)
            buckets[key] = _plus(buckets.get(key), number_of)
        versions = tuple(
            Rates(*key, both[0], both[1], _millis(bounds, buckets.get(key)))
            for key, both in counts.items()
        )
        total = Rates(
            "",
            "",
            sum(each.requests for each in versions),
            sum(each.errors for each in versions),
            _millis(bounds, _sum(buckets.values())),
        )
        return Traffic(now, interval, total, versions, statuses)


def read_batching(rule: str, metrics: BatchMetrics, waiting: Iterable[Waiting]) -> Batching:
    """Return the batches since the start."""
    wait_bounds = tuple(bound / _MICROS * _MILLIS for bound in metrics.waits.bounds)
    waits = _sum(metrics.waits.read().values()) or [0] * (len(wait_bounds) + 1)
    return Batching(
        rule,
        Bars(metrics.sizes.bounds, metrics.sizes.read()[()]),
        Bars(metrics.request_sizes.bounds, metrics.request_sizes.read()[()]),
        Bars(wait_bounds, tuple(waits)),
        int(metrics.sizes.sum()),
        int(metrics.paddings.sum()),
        tuple(waiting),
    )


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Return a quantile, interpolated in its bucket; None without values.

    In the last bucket, which has no bound, it is the last bound.
    """
    total = sum(counts)
    if total == 0:
        return None
    wanted = share * total
    for index, (reached, count) in enumerate(zip(accumulate(counts), counts, strict=True)):
        if reached >= wanted and count:
            if index == len(bounds):
                return bounds[-1]
            low = bounds[index - 1] if index else 0.0
            return low + (bounds[index] - low) * (wanted - (reached - count)) / count
    return bounds[-1]


def _version(labels: Labels) -> tuple[str, str]:
    return str(labels[0]), str(labels[1])


def _millis(bounds: Sequence[float], counts: Sequence[int] | None) -> tuple[float | None, ...]:
    return tuple(_in_millis(quantile(bounds, counts or (), share)) for share in _QUANTILES)


def _in_millis(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * _MILLIS, 4)


def _since(new: float, old: float) -> float:
    return new - old if new >= old else new


def _minus(new: Sequence[int], old: Sequence[int] | None) -> list[int]:
    """Return the new counts; a series that was dropped in between begins again."""
    if old is None or any(a < b for a, b in zip(new, old, strict=True)):
        return list(new)
    return [a - b for a, b in zip(new, old, strict=True)]


def _plus(one: Sequence[int] | None, other: Sequence[int]) -> list[int]:
    return list(other) if one is None else [a + b for a, b in zip(one, other, strict=True)]


def _sum(all_counts: Iterable[Sequence[int]]) -> list[int]:
    total: list[int] = []
    for counts in all_counts:
        total = _plus(total or None, counts)
    return total
