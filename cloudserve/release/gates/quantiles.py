"""Confidence intervals of quantiles from order statistics, which need no distribution.

Of n independent values of a continuous distribution, the number that is at most the quantile q is
binomial (n, q). So the k-th smallest value is above the quantile with the probability
P(Bin(n, q) < k), and below it with P(Bin(n, q) >= k). For other distributions these are bounds.

Source: David, Nagaraja, Order Statistics (3rd edition, 2003), section 7.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, exp, inf, lgamma, log


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, and the interval that contains the true value with a confidence."""

    low: float
    value: float
    high: float
    """Infinite if there are too few values for an upper end."""


def quantile_interval(values: Sequence[float], quantile: float, confidence: float) -> Interval:
    """Return the quantile of the values with its interval; both ends miss it equally seldom."""
    ordered, count = sorted(values), len(values)
    miss = (1 - confidence) / 2
    below = list(accumulate(_probability(count, quantile, k) for k in range(count + 1)))
    # P(Bin < k) is below[k - 1], and grows with k.
    high = next((k for k in range(1, count + 1) if below[k - 1] >= 1 - miss), None)
    low = next((k for k in range(count, 0, -1) if below[k - 1] <= miss), None)
    return Interval(
        ordered[low - 1] if low else 0.0,
        ordered[max(0, ceil(quantile * count) - 1)],
        ordered[high - 1] if high else inf,
    )


def ratio_interval(
    first: Sequence[float], second: Sequence[float], quantile: float, confidence: float
) -> Interval:
    """Return the quantile of the first values divided by that of the second ones, both positive.

    The two may depend on each other: by Bonferroni's inequality both intervals of half the error
    contain their quantiles with the confidence, and then the ratio is between their extremes.
    """
    each = 1 - (1 - confidence) / 2
    one = quantile_interval(first, quantile, each)
    other = quantile_interval(second, quantile, each)
    return Interval(
        one.low / other.high,
        one.value / other.value,
        one.high / other.low if other.low else inf,
    )


def fewest_values(quantile: float, confidence: float) -> int:
    """Return how many values the upper end of a quantile's interval needs."""
    return ceil(log((1 - confidence) / 2) / log(quantile))


def fewest_for_ratio(quantile: float, confidence: float) -> int:
    """Return how many values of each kind the upper end of a ratio's interval needs."""
    # A quantile below the median lacks the lower end of the second interval first.
    return fewest_values(max(quantile, 1 - quantile), 1 - (1 - confidence) / 2)


def _probability(count: int, chance: float, k: int) -> float:
    """Return the probability of k successes in `count` trials."""
    ways = lgamma(count + 1) - lgamma(k + 1) - lgamma(count - k + 1)
    return exp(ways + k * log(chance) + (count - k) * log(1 - chance))
