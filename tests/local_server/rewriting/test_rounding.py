"""Differences of answers: rounding of finite numbers, and nothing else."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from cloudserve.local_server.rewriting.rounding import ulp_between

_NEXT = np.nextafter(np.float32(1), np.float32(2))


def floats(*values):
    return np.array(values, np.float32)


def test_rounding_is_counted_in_steps_of_the_dtype():
    assert ulp_between(floats(1, 0), floats(_NEXT, 0)) == 1


@pytest.mark.parametrize("other", [np.inf, -np.inf, np.nan])
def test_numbers_beside_one_that_is_not_finite_are_measured_among_themselves(other):
    assert ulp_between(floats(1, other), floats(_NEXT, other)) == 1
    assert ulp_between(floats(1, other), floats(1, other)) == 0
    assert ulp_between(floats(1, other), floats(2, other)) is None


@pytest.mark.parametrize("other", [np.inf, -np.inf, np.nan])
def test_a_number_is_not_rounded_to_one_that_is_not_finite(other):
    assert ulp_between(floats(1, other), floats(1, 3)) is None
    assert ulp_between(floats(1, 3), floats(1, other)) is None
    assert ulp_between(floats(np.inf), floats(-np.inf)) is None


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_each_dtype_has_its_own_steps(dtype):
    one, two, fifth = (np.array([n, 0], dtype) for n in (1, 2, 1.2))
    following = np.nextafter(one, two)
    assert ulp_between(one, following) == 1
    assert ulp_between(one, fifth) is None
    assert ulp_between(one, np.array([1, np.nan], dtype)) is None


def test_complex_numbers_are_measured_by_their_parts():
    one = np.array([1 + 2j, 0], np.complex64)
    assert ulp_between(one, one + np.array([1, 0], np.complex64) * np.spacing(np.float32(1))) == 1
    assert ulp_between(one, one.conj()) is None


def test_other_shapes_and_dtypes_differ():
    assert ulp_between(floats(1), floats(1, 1)) is None
    assert ulp_between(floats(1), np.array([1.0])) is None
    assert ulp_between(np.array([1]), np.array([2])) is None
