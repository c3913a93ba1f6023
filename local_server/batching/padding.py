"""Make one call's inputs of many tasks': concatenate, pad lengths, pad rows.

Source: tensorflow_serving/batching/batching_session.cc (`MergeInputTensors`), batching_util.cc
(`AddPadding`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..runtime.types import Tensor
from ..status import Code, StatusError
from .parameters import BatchingParameters
from .tasks import Task, Tensors

_HIGHEST_PADDED_RANK = 6


def batch_size(arrays: Sequence[Tensor]) -> int:
    """Return the number of rows that all inputs of a request have.

    Raises StatusError (INVALID_ARGUMENT) for inputs that cannot be batched.
    """
    if not arrays:
        raise _invalid("Batching Run() must have at least one input tensor")
    for array in arrays:
        if not array.ndim:
            raise _invalid("Batching Run() input tensors must have at least one dimension")
        if len(array) != len(arrays[0]):
            raise _invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return len(arrays[0])


def padding_rows(size: int, allowed: Sequence[int]) -> int:
    """Return how many rows make a batch of `size` one of the smallest allowed size it fits."""
    return next((entry for entry in allowed if entry >= size), size) - size


def merge(tasks: Sequence[Task], parameters: BatchingParameters) -> tuple[Tensors, int]:
    """Return the inputs of a batch by tensor name, and how many rows at their end are padding.

    Padding repeats the first row of the last task that has one: a valid row of the model's input.
    Raises StatusError for shapes that do not go together; it is every task's then, as upstream.
    """
    size = sum(task.size for task in tasks)
    last = next((task for task in reversed(tasks) if task.size), None)
    padding = padding_rows(size, parameters.allowed_batch_sizes) if last else 0
    if len(tasks) == 1 and not padding and not parameters.pad_variable_length_inputs:
        return tasks[0].inputs, 0
    merged = {}
    for name in tasks[0].inputs:
        arrays = [task.inputs[name] for task in tasks]
        if parameters.pad_variable_length_inputs:
            arrays = pad_lengths(name, arrays)
        _check_shapes(name, arrays)
        merged[name] = _concatenate(arrays, padding)
    return merged, padding


def pad_lengths(name: str, arrays: Sequence[Tensor]) -> list[Tensor]:
    """Pad the dimensions behind the first, at their ends, to the largest among the arrays.

    Each array is filled with its own first element. Raises StatusError: INVALID_ARGUMENT for ranks
    above 6 and for an array without elements among others, FAILED_PRECONDITION for unequal ranks.
    """
    if len({array.ndim for array in arrays}) > 1:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            f"Tensors with name '{name}' from different tasks have different ranks, which "
            "padding cannot make equal.",
        )
    if arrays[0].ndim > _HIGHEST_PADDED_RANK:
        raise _invalid("Only tensors with rank from 1 to 6 can be padded.")
    lengths = tuple(map(max, zip(*(array.shape[1:] for array in arrays), strict=True)))
    return [_pad_array(array, (array.shape[0], *lengths)) for array in arrays]


def _pad_array(array: Tensor, shape: tuple[int, ...]) -> Tensor:
    if array.shape == shape:
        return array
    padded: Tensor = np.empty(shape, array.dtype)
    if not padded.size:
        return padded
    if not array.size:
        raise _invalid("Got empty tensor in batch of non-empty tensors.")
    padded[...] = array.flat[0]
    padded[tuple(map(slice, array.shape))] = array
    return padded


def _check_shapes(name: str, arrays: Sequence[Tensor]) -> None:
    if len({array.shape[1:] for array in arrays}) > 1:
        raise StatusError(
            Code.FAILED_PRECONDITION,
            f"Tensors with name '{name}' from different tasks have different shapes and padding "
            "is turned off. Set pad_variable_length_inputs to true, or ensure that all tensors "
            "with the same name have equal dimensions starting with the first dim.",
        )


def _concatenate(arrays: list[Tensor], padding: int) -> Tensor:
    if padding:
        last = next(array for array in reversed(arrays) if array.shape[0])
        arrays = [*arrays, np.repeat(last[:1], padding, axis=0)]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _invalid(message: str) -> StatusError:
    return StatusError(Code.INVALID_ARGUMENT, message)
