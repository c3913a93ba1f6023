"""A test of a signature: are the rows of its outputs independent of the other rows of the batch?

A server may run requests together only if each gets the answer it would get alone. The shapes of a
signature do not say so: a model may subtract the mean of the batch. So a batch of two requests is
compared with the two alone, before anything is batched.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..runtime.types import Tensor
from .requests import Tensors

_RELATIVE, _ABSOLUTE = 1e-3, 1e-5
"""Results may differ in the last bits: other sizes of a batch take other kernels."""
_HALF = 1e-2
_HALF_BYTES = 2


def vary(inputs: Tensors) -> dict[str, Tensor] | None:
    """Return other inputs of the same shapes; None if there are no others that are surely valid.

    Numbers are halved, integers become 0, which is an index of every table.
    """
    varied = {name: _vary(array) for name, array in inputs.items()}
    is_other = any(not np.array_equal(varied[name], array) for name, array in inputs.items())
    return varied if is_other else None


def _vary(array: Tensor) -> Tensor:
    if array.dtype.kind == "f":
        return (array * 0.5 + 0.25).astype(array.dtype)
    return np.zeros_like(array) if array.dtype.kind in "iu" else array


def are_independent(
    run: Callable[[Tensors], Tensors], first: Tensors, outputs: Tensors, second: Tensors
) -> bool:
    """Return whether two inputs have the same outputs together and alone.

    `outputs` are those of the first alone. Raises what the run raises.
    """
    alone = run(second)
    both = run({name: np.concatenate([first[name], second[name]]) for name in first})
    expected = {name: (outputs[name], alone[name]) for name in outputs}
    return all(_is_joined(both[name], *pair) for name, pair in expected.items())


def _is_joined(both: Tensor, first: Tensor, second: Tensor) -> bool:
    is_batch = both.ndim > 0 and len(both) == len(first) + len(second)
    return is_batch and _is_same(both, np.concatenate([first, second]))


def _is_same(array: Tensor, expected: Tensor) -> bool:
    if array.shape != expected.shape or array.dtype != expected.dtype:
        return False
    if array.dtype.kind not in "fc":
        return bool(np.array_equal(array, expected))
    tolerance = _HALF if array.dtype.itemsize <= _HALF_BYTES else _RELATIVE
    scale = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    return np.allclose(
        array, expected, rtol=tolerance, atol=_ABSOLUTE * max(scale, 1e-30), equal_nan=True
    )
