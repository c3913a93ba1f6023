"""Distributions: counts, moments, and percentiles within the width of a bucket."""

import math
import statistics

from cloudserve.local_server.clouds.google.monitoring.distribution import (
    GROWTH,
    Distribution,
    merged,
)
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=50)


def of(values):
    result = Distribution()
    for value in values:
        result.add(value)
    return result


@given(VALUES)
def test_the_moments_are_those_of_the_values(values):
    distribution = of(values)
    assert distribution.count == len(values) == sum(distribution.buckets)
    assert math.isclose(distribution.mean, statistics.fmean(values))
    squares = statistics.pvariance(values) * len(values)
    assert math.isclose(distribution.squares, squares, rel_tol=1e-6, abs_tol=1e-3)


@given(VALUES, VALUES)
def test_merged_distributions_are_that_of_all_values(one, other):
    together, whole = merged([of(one), Distribution(), of(other)]), of(one + other)
    assert together.buckets == whole.buckets
    assert math.isclose(together.mean, whole.mean)
    assert math.isclose(together.squares, whole.squares, rel_tol=1e-6, abs_tol=1e-3)


@given(VALUES, st.floats(1, 100))
def test_a_percentile_is_within_the_bucket_of_the_value(values, percent):
    exact = sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]
    percentile = of(values).percentile(percent)
    assert exact / GROWTH * (1 - 1e-9) <= percentile <= exact * GROWTH * (1 + 1e-9)


def test_trailing_empty_buckets_are_left_out():
    assert of([1.1]).document()["bucketCounts"] == ["0", "1"]
    assert Distribution().document()["bucketCounts"] == []
    assert of([1e12]).document()["bucketCounts"][-1] == "1"
