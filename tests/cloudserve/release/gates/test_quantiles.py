"""Intervals of quantiles: exact for small samples, and their coverage in simulation."""

from __future__ import annotations

import random
from math import inf, log

import pytest

from cloudserve.release.gates.quantiles import (
    fewest_for_ratio,
    fewest_values,
    quantile_interval,
    ratio_interval,
)

RUNS = 400


def test_the_median_of_six_values_is_between_the_extremes():
    """P(all six above or all below the median) is 2/64, less than 5 %; of the inner ones 14/64."""
    interval = quantile_interval([5, 1, 4, 2, 6, 3], 0.5, 0.95)
    assert (interval.low, interval.value, interval.high) == (1, 3, 6)


def test_too_few_values_have_no_upper_end():
    interval = quantile_interval(range(1, 101), 0.99, 0.95)
    assert (interval.value, interval.high) == (99, inf)
    assert interval.low > 90


@pytest.mark.parametrize(("quantile", "fewest"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_the_fewest_values_have_an_upper_end_and_one_less_has_none(quantile, fewest):
    assert fewest_values(quantile, 0.95) == fewest
    assert quantile_interval(range(fewest), quantile, 0.95).high < inf
    assert quantile_interval(range(fewest - 1), quantile, 0.95).high == inf


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_a_ratio_has_an_upper_end_with_the_fewest_values(quantile):
    fewest = fewest_for_ratio(quantile, 0.95)
    values = range(1, fewest + 1)
    assert ratio_interval(values, values, quantile, 0.95).high < inf
    assert ratio_interval(values[1:], values[1:], quantile, 0.95).high == inf


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_simulated_intervals_contain_the_quantile_as_often_as_they_promise(quantile):
    """Exponential times; the ratio of two of the same distribution is 1 (seeded)."""
    chance = random.Random(20)
    truth = -log(1 - quantile)
    covered = ratios = false_alarms = 0
    for _ in range(RUNS):
        first, second = ([chance.expovariate(1) for _ in range(500)] for _ in range(2))
        interval = quantile_interval(first, quantile, 0.95)
        ratio = ratio_interval(first, second, quantile, 0.95)
        covered += interval.low <= truth <= interval.high
        ratios += ratio.low <= 1 <= ratio.high
        false_alarms += ratio.low > 1
    assert covered >= 0.94 * RUNS
    assert ratios >= 0.95 * RUNS
    assert false_alarms <= 0.025 * RUNS
