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
    scale = np.max(np.abs(expected), initial=0) if is_float else 0
    if not is_float or not np.allclose(
        expected, actual, rtol=0, atol=_ROUNDING * scale, equal_nan=True
    ):
        return None
    spacing = np.spacing(np.maximum(np.abs(expected), np.finfo(expected.dtype).tiny))
    return int(np.nanmax(np.abs(expected - actual) / spacing))
