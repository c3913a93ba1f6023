"""Distributions: how often a value came, by bucket.

Cloud Monitoring describes a distribution by its count, mean, sum of squared deviations and the
counts of its buckets (google/api/distribution.proto). The bounds of Vertex AI's latencies are not
documented; these are exponential, from 1 ms, each 1.2 times the one before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate

from ...resources import Document

SCALE, GROWTH, FINITE_BUCKETS = 1.0, 1.2, 80
_BOUNDS = tuple(SCALE * GROWTH**index for index in range(FINITE_BUCKETS + 1))
_BUCKETS = FINITE_BUCKETS + 2


@dataclass(slots=True)
class Distribution:
    """Values that were counted. The first bucket is below all bounds, the last one above."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """The sum of the squared deviations from the mean."""
    buckets: list[int] = field(default_factory=lambda: [0] * _BUCKETS)

    def add(self, value: float) -> None:
        """Count a value."""
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self.squares += step * (value - self.mean)
        self.buckets[bisect_right(_BOUNDS, value)] += 1

    def percentile(self, percent: float) -> float:
        """Return a percentile, as if the values of a bucket were evenly spread over it."""
        wanted = percent / 100.0 * self.count
        sums = accumulate(self.buckets)
        for index, (size, reached) in enumerate(zip(self.buckets, sums, strict=True)):
            if size and reached >= wanted:
                low = _BOUNDS[index - 1] if index else 0.0
                high = _BOUNDS[min(index, FINITE_BUCKETS)]
                return low + (high - low) * (wanted - (reached - size)) / size
        return 0.0

    def document(self) -> Document:
        """Return the JSON of the API, whose trailing zeros are left out."""
        last = max((i for i, size in enumerate(self.buckets) if size), default=-1)
        return {
            "count": str(self.count),
            "mean": self.mean,
            "sumOfSquaredDeviation": self.squares,
            "bucketOptions": {
                "exponentialBuckets": {
                    "numFiniteBuckets": FINITE_BUCKETS,
                    "growthFactor": GROWTH,
                    "scale": SCALE,
                }
            },
            "bucketCounts": [str(size) for size in self.buckets[: last + 1]],
        }


def merged(parts: Iterable[Distribution]) -> Distribution:
    """Return the distribution of the values of all parts."""
    total = Distribution()
    for part in parts:
        count = total.count + part.count
        if not count:
            continue
        step = part.mean - total.mean
        total.squares += part.squares + step * step * total.count * part.count / count
        total.mean += step * part.count / count
        total.count = count
        total.buckets = [
            one + other for one, other in zip(total.buckets, part.buckets, strict=True)
        ]
    return total
