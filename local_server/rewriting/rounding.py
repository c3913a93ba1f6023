"""The difference of two answers: none, rounding in units in the last place, or another value."""

from __future__ import annotations

import numpy as np

from ..runtime.types import Tensor

_ROUNDING = 1e-4
"""A session optimizes the graph: answers may differ by rounding, relative to the largest one."""


def ulp_between(expected: Tensor, actual: Tensor) -> int | None:
    """Return the largest difference in steps of the dtype, None if it is more than rounding.

    Only floats are rounded. NaN equals NaN.
    """
    expected = np.asarray(expected)
    is_float = expected.dtype.kind == "f"
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


def _ulp(expected: Tensor, actual: Tensor) -> int | None:
    """Return the largest difference of finite numbers from others, None for more than rounding."""
    size = np.abs(expected)
    if not np.allclose(expected, actual, rtol=0, atol=_ROUNDING * np.max(size, initial=0)):
        return None
    spacing = np.spacing(np.maximum(size, np.finfo(expected.dtype).tiny))
    return int(np.max(np.abs(expected - actual) / spacing))
