"""Requests that a kernel would end the process for, refused before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from cloudserve.modelfiles.tflite_trust import Trust, Trusted, TrustedValues

from ...status import Code, StatusError
from ..types import Tensor

_MOST_VALUES = 2**29
"""What fits in 2 GiB of float32: the kernels count bytes in 32 bits."""


def check_trusted(trust: Trust, inputs: Mapping[int, Tensor]) -> None:
    """Compare the inputs of a request, by their tensors, with what the kernels trust.

    Raises StatusError (INVALID_ARGUMENT).
    """
    for one in trust.sizes:
        if one.tensor in inputs and not _fits(inputs[one.tensor].shape, one.shape):
            raise _unfit(one.op, inputs[one.tensor])
    for values in trust.values:
        _CHECKS[values.kind](values, inputs)


def _fits(given: tuple[int, ...], shape: tuple[int | None, ...] | None) -> bool:
    if shape is None:
        return 0 not in given
    return (
        _fits(given, None)
        and len(given) == len(shape)
        and all(wanted in {None, size} for size, wanted in zip(given, shape, strict=True))
    )


def _check_lengths(values: TrustedValues, inputs: Mapping[int, Tensor]) -> None:
    data = inputs.get(values.data)
    if data is not None and data.ndim <= max(values.dimension, values.batch_dimension):
        raise _unfit(values.op, data)
    most = values.most if data is None else data.shape[values.dimension]
    lengths = values.constant or inputs[values.tensor].ravel().tolist()
    rows = None if data is None else data.shape[values.batch_dimension]
    if rows not in {None, len(lengths)}:
        raise _invalid(f"its op {values.op} has {len(lengths)} lengths for {rows} sequences")
    if most is None or not all(0 <= length <= most for length in lengths):
        raise _invalid(f"the lengths of its op {values.op} must be from 0 to {most}")


def _check_sizes(values: TrustedValues, inputs: Mapping[int, Tensor]) -> None:
    sizes = inputs[values.tensor].ravel().tolist()
    if min(sizes, default=0) < 0 or prod(sizes) > _MOST_VALUES:
        raise _invalid(f"its op {values.op} cannot make an output of the sizes {sizes}")


def _check_divisors(values: TrustedValues, inputs: Mapping[int, Tensor]) -> None:
    data, divisors = inputs.get(values.data), inputs[values.tensor]
    if not (divisors == -1).any():
        return
    if data is None or (data == np.iinfo(divisors.dtype).min).any():
        raise _invalid(f"its op {values.op} does not divide by -1")


_CHECKS = {
    Trusted.LENGTHS: _check_lengths,
    Trusted.SIZES: _check_sizes,
    Trusted.DIVISORS: _check_divisors,
}


def _unfit(op: str, array: Tensor) -> StatusError:
    return _invalid(f"its op {op} does not take an input of the shape {list(array.shape)}")


def _invalid(text: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, f"The model cannot run the request: {text}")
