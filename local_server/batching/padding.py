"""Merging the inputs of many tasks: concatenation, padding of lengths and rows.

Source: tensorflow_serving/batching/batching_session.cc (`MergeInputTensors`), batching_util.cc
(`AddPadding`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..codecs.room import MOST_UNFOLDED_BYTES, STRING_BYTES
from ..runtime.types import Tensor
from ..status import Code, StatusError, invalid_argument
from .parameters import BatchingParameters
from .requests import Task, Tensors

_HIGHEST_PADDED_RANK = 6


class PaddingError(StatusError):
    """A batch whose padding takes too much memory; its tasks may fit alone."""

    def __init__(self, tasks: int, added: int) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            f"Padding a batch of {tasks} tasks would add {added} bytes; "
            f"at most {MOST_UNFOLDED_BYTES} may be added",
        )


def batch_size(arrays: Sequence[Tensor]) -> int:
    """Return the number of rows that all inputs of a request have.

    Raises StatusError (INVALID_ARGUMENT) for inputs that cannot be batched.
    """
    if not arrays:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    for array in arrays:
        if not array.ndim:
            raise invalid_argument("Batching Run() input tensors must have at least one dimension")
        if len(array) != len(arrays[0]):
            raise invalid_argument(
                "Batching Run() input tensors must have equal 0th-dimension size"
            )
    return len(arrays[0])


def padding_rows(size: int, allowed: Sequence[int]) -> int:
    """Return how many rows pad `size` to the smallest allowed size that fits."""
    return next((entry for entry in allowed if entry >= size), size) - size


def merge(tasks: Sequence[Task], parameters: BatchingParameters) -> tuple[Tensors, int]:
    """Return the inputs of a batch by tensor name, and how many rows at the end are padding.

    Padding repeats the first row of the last task that has one: a valid row of the model's input.
    Raises StatusError for incompatible shapes; it is the error of every task, as upstream.
    PaddingError is raised before any padding is allocated.
    """
    size = sum(task.size for task in tasks)
    last = next((task for task in reversed(tasks) if task.size), None)
    padding = padding_rows(size, parameters.allowed_batch_sizes) if last else 0
    if len(tasks) == 1 and not padding and not parameters.pad_variable_length_inputs:
        return tasks[0].inputs, 0
    if padding or parameters.pad_variable_length_inputs:
        _check_padding(tasks, parameters)
    merged = {}
    for name in tasks[0].inputs:
        arrays = [task.inputs[name] for task in tasks]
        if parameters.pad_variable_length_inputs:
            arrays = pad_lengths(name, arrays)
        _check_shapes(name, arrays)
        merged[name] = _concatenate(arrays, padding)
    return merged, padding


def pad_lengths(name: str, arrays: Sequence[Tensor]) -> list[Tensor]:
    """Pad all dimensions but the first, at their ends, to the largest among the arrays.

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
        raise invalid_argument("Only tensors with rank from 1 to 6 can be padded.")
    lengths = tuple(map(max, zip(*(array.shape[1:] for array in arrays), strict=True)))
    return [_pad_array(array, (array.shape[0], *lengths)) for array in arrays]


def _pad_array(array: Tensor, shape: tuple[int, ...]) -> Tensor:
    if array.shape == shape:
        return array
    padded: Tensor = np.empty(shape, array.dtype)
    if not padded.size:
        return padded
    if not array.size:
        raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
    padded[...] = array.flat[0]
    padded[tuple(map(slice, array.shape))] = array
    return padded


def _check_padding(tasks: Sequence[Task], parameters: BatchingParameters) -> None:
    added = _added_bytes(tasks, parameters)
    if added > MOST_UNFOLDED_BYTES:
        raise PaddingError(len(tasks), added)


def _added_bytes(tasks: Sequence[Task], parameters: BatchingParameters) -> int:
    """Return how many bytes padding adds to a batch of tasks.

    Strings count by the largest that is repeated. Incompatible inputs count 0: `merge` refuses
    them.
    """
    size = sum(task.size for task in tasks)
    rows = size + padding_rows(size, parameters.allowed_batch_sizes)
    names = tasks[0].inputs if rows else ()
    return sum(_added([task.inputs[name] for task in tasks], rows, parameters) for name in names)


def _added(arrays: Sequence[Tensor], rows: int, parameters: BatchingParameters) -> int:
    if len({array.ndim for array in arrays}) > 1:
        return 0
    lengths = tuple(map(max, zip(*(array.shape[1:] for array in arrays), strict=True)))
    if not parameters.pad_variable_length_inputs:
        lengths = arrays[-1].shape[1:]
    elements: int = rows * math.prod(lengths) - sum(array.size for array in arrays)
    return max(elements, 0) * _element_bytes(arrays)


def _element_bytes(arrays: Sequence[Tensor]) -> int:
    """Return the bytes of an element that padding repeats: one of each array's first row."""
    if not arrays[0].dtype.hasobject:
        return max(array.itemsize for array in arrays)
    first_rows = (array[:1].flat for array in arrays)
    return STRING_BYTES + max((len(item) for row in first_rows for item in row), default=0)


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
