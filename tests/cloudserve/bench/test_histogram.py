"""The histogram against a sorted list."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.bench.histogram import Histogram

VALUES = st.lists(st.integers(0, 2**50), min_size=1, max_size=200)
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(sorted)


def histogram(values):
    recorded = Histogram()
    for value in values:
        recorded.record(value)
    return recorded


def rank(values, share):
    """Return the value at the nearest rank."""
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


@given(VALUES, SHARES)
def test_a_quantile_is_less_than_a_thousandth_below_the_value_at_its_rank(values, shares):
    for share, quantile in zip(shares, histogram(values).quantiles(shares), strict=True):
        exact = rank(values, share)
        assert exact * 0.999 <= quantile <= exact


@given(VALUES)
def test_mean_count_and_extremes_are_exact(values):
    recorded = histogram(values)
    assert recorded.count == len(values)
    assert recorded.mean == sum(values) / len(values)
    assert (recorded.minimum, recorded.maximum) == (min(values), max(values))
    assert recorded.quantile(1) == max(values)


@given(VALUES, VALUES, SHARES)
def test_merging_equals_recording_all_values_in_one(ones, others, shares):
    merged = histogram(ones)
    merged.merge(histogram(others))
    together = histogram(ones + others)
    assert list(merged.quantiles(shares)) == list(together.quantiles(shares))
    assert (merged.mean, merged.minimum) == (together.mean, together.minimum)


@given(st.integers(0, 2**50), st.integers(1, 1000))
def test_a_value_can_be_recorded_many_times_at_once(value, times):
    once, often = Histogram(), histogram([value] * times)
    once.record(value, times)
    assert (once.count, once.total) == (often.count, often.total)


def test_buckets_are_bounded_whatever_is_recorded():
    recorded = histogram(range(0, 60_000_000_000, 999_983))
    assert recorded.count > 50_000
    assert len(recorded._counts) < 26 * 1024


def test_without_values_everything_is_0():
    empty = Histogram()
    empty.merge(Histogram())
    assert (empty.count, empty.mean, empty.quantile(0.5), empty.maximum) == (0, 0, 0, 0)


@pytest.mark.parametrize("value", [-1, -(10**9)])
def test_a_negative_value_counts_as_0(value):
    assert histogram([value]).maximum == 0
