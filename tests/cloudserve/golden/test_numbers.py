"""Distances of numbers: absolute, relative, and in steps of a dtype."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.golden.file import Tolerance
from cloudserve.golden.numbers import DTYPES, distance, ulps

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_neighbouring_numbers_are_one_step_apart(dtype):
    kind = np.dtype(dtype).type
    for number in (0.0, 1.0, -1.0, 1.5, -3.0, 1e-4):
        start = kind(number)
        after = np.nextafter(start, kind(np.inf))
        assert ulps(float(start), float(after), dtype) == 1


@given(FLOATS, st.integers(0, 40))
def test_steps_are_counted_as_numpy_takes_them(start, steps):
    number = np.float32(start)
    with np.errstate(over="ignore"):
        for _ in range(steps):
            number = np.nextafter(number, np.float32(np.inf))
    if np.isfinite(number):
        assert ulps(start, float(number), "float32") == steps


@given(FLOATS, FLOATS)
def test_a_distance_is_symmetric_and_zero_only_between_equal_numbers(one, other):
    assert ulps(one, other, "float32") == ulps(other, one, "float32")
    assert (ulps(one, other, "float32") == 0) == (one == other)


def test_the_decimals_of_a_float32_are_no_difference():
    assert distance(0.1, 0.100000001).ulp == 0
    assert distance(0.1, 0.100000001, "float64").ulp > 0


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (1.0, math.nan, False),
        (1.0, math.inf, False),
    ],
)
def test_only_equal_special_numbers_are_equal(one, other, is_equal):
    assert (distance(one, other).absolute == 0) is is_equal
    assert distance(one, other).is_within(Tolerance(1e9, 1e9, 10**9)) is is_equal


@pytest.mark.parametrize(
    "tolerance", [Tolerance(absolute=0.011), Tolerance(relative=0.011), Tolerance(ulp=100_000)]
)
def test_one_of_the_bounds_is_enough(tolerance):
    assert distance(1.0, 1.01).is_within(tolerance)
    assert not distance(1.0, 1.2).is_within(tolerance)


def test_a_number_beyond_the_dtype_is_infinite_in_it():
    assert ulps(1e39, 3.4028234663852886e38, "float32") == 1
