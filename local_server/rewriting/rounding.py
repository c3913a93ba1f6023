"""The difference of two answers: none, rounding in units in the last place, or another value."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from ..runtime.types import Tensor

_ROUNDING, _STEPS = 1e-4, 4
"""A session optimizes the graph: answers may differ by rounding, relative to the largest one, and
by some steps of a dtype with few digits: one of bfloat16 is 0.8 %."""


def ulp_between(expected: Tensor, actual: Tensor) -> int | None:
    """Return the largest difference in steps of the dtype, None if it is more than rounding.

    Only floats are rounded. NaN equals NaN.
    """
    expected = np.asarray(expected)
    if expected.dtype.kind == "c" and expected.dtype == actual.dtype:
        parts = [_parts(one) for one in (expected, actual)]
        return ulp_between(*parts) if expected.shape == actual.shape else None
    is_float = expected.dtype.kind == "f" or expected.dtype == ml_dtypes.bfloat16
    if expected.shape != actual.shape or (is_float and expected.dtype != actual.dtype):
        return None
    if np.array_equal(expected, actual, equal_nan=is_float):
        return 0
    if not is_float:
        return None
    # Infinities and NaN are not rounded, and are no measure of the numbers beside them.
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], actual[~finite], equal_nan=True):
        return None
    return _ulp(expected[finite], actual[finite])


def _parts(numbers: Tensor) -> Tensor:
    """Return the real and imaginary parts of complex numbers."""
    return np.stack([numbers.real, numbers.imag])


def _ulp(expected: Tensor, actual: Tensor) -> int | None:
    """Return the largest difference of finite numbers from others, None for more than rounding."""
    info = ml_dtypes.finfo(expected.dtype)  # type: ignore[no-untyped-call] # it has no types
    eps, tiny = float(info.eps), float(info.tiny)
    wide = [one.astype(np.float64) for one in (expected, actual)]
    size, difference = np.abs(wide[0]), np.abs(wide[0] - wide[1])
    # NaN is not below any limit.
    if not np.max(difference, initial=0) <= max(_ROUNDING, _STEPS * eps) * np.max(size, initial=0):
        return None
    _, exponents = np.frexp(np.maximum(size, tiny))
    return int(np.max(difference / np.ldexp(eps, exponents - 1)))
