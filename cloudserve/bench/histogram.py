"""Latency histogram with a bounded relative error: HdrHistogram's layout, in a dictionary.

Values are cut to their eleven highest bits, so a quantile is less than 0.1 % below the recorded
value. Below 2048 every value has its own bucket; above, each power of two has 1024.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

_KEPT_BITS = 11


class Histogram:
    """Counts of non-negative integers, such as latencies in nanoseconds."""

    __slots__ = ("_counts", "count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.minimum = 0
        self.maximum = 0

    def record(self, value: int, times: int = 1) -> None:
        """Count a value; a negative one, of a clock that was set back, counts as 0."""
        value = max(value, 0)
        dropped = value.bit_length() - _KEPT_BITS
        key = value >> dropped << dropped if dropped > 0 else value
        self._counts[key] = self._counts.get(key, 0) + times
        self.total += value * times
        if not self.count or value < self.minimum:
            self.minimum = value
        self.maximum = max(self.maximum, value)
        self.count += times

    def merge(self, other: Histogram) -> None:
        """Add all values of another histogram."""
        if not other.count:
            return
        for key, times in other._counts.items():
            self._counts[key] = self._counts.get(key, 0) + times
        self.minimum = min(self.minimum, other.minimum) if self.count else other.minimum
        self.maximum = max(self.maximum, other.maximum)
        self.total += other.total
        self.count += other.count

    @property
    def mean(self) -> float:
        """Return the exact mean; 0 if there are no values."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> int:
        """Return the value that a share (0 to 1) of the values does not exceed; 0 without values.

        It is the nearest rank: the value at rank ceil(share * count), as a bucket's lower bound.
        """
        return next(self.quantiles([share]))

    def quantiles(self, shares: list[float]) -> Iterator[int]:
        """Yield the quantiles of ascending shares in one pass."""
        buckets = iter(sorted(self._counts.items()))
        counted, value = 0, 0
        for share in shares:
            rank = min(max(1, math.ceil(share * self.count)), self.count)
            while counted < rank:
                value, times = next(buckets)
                counted += times
            # The extremes are known exactly.
            yield self.maximum if rank == self.count else max(value, self.minimum)
