"""The explained output in predictions: its numbers, which of them are explained, their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....status import Code, StatusError
from ..records import invalid
from .spec import Output, Spec
from .values import Floats

Index = tuple[int, ...]


def numbers(output: Output, prediction: Any) -> Floats:
    """Return the output in a prediction as an array; raises StatusError if it has no numbers."""
    value = prediction
    if isinstance(prediction, dict):
        if output.source not in prediction:
            raise StatusError(
                Code.FAILED_PRECONDITION, f"The prediction has no output `{output.source}`."
            )
        value = prediction[output.source]
    array = np.array(value, dtype=object)
    if not all(isinstance(item, int | float) for item in array.reshape(-1)):
        text = f"The output `{output.source}` is not an array of numbers: it cannot be explained."
        raise StatusError(Code.FAILED_PRECONDITION, text)
    return array.astype(np.float64)


def chosen(spec: Spec, values: Floats) -> Sequence[Index]:
    """Return the indices to explain: those of the spec, or the largest values in order.

    Raises ApiError for an index that the output does not have. () is the index of a single number.
    """
    if values.ndim == 0:
        return [()]
    if spec.indices:
        for index in spec.indices:
            inside = len(index) == values.ndim and all(
                0 <= place < size for place, size in zip(index, values.shape, strict=False)
            )
            if not inside:
                raise invalid(
                    f"The output has the shape {list(values.shape)}; {list(index)} of"
                    " `output_indices` is not an index in it."
                )
        return spec.indices
    order = np.argsort(-values.reshape(-1), kind="stable")
    wanted = order if spec.top == -1 else order[: spec.top]
    return [tuple(int(place) for place in np.unravel_index(one, values.shape)) for one in wanted]


def picked(values: Floats, indices: Sequence[Index]) -> Floats:
    """Return the explained numbers of an output; raises StatusError if they are missing."""
    try:
        return np.array([values[index] for index in indices], dtype=np.float64)
    except IndexError as error:
        text = "The output has another shape for another instance: it cannot be explained."
        raise StatusError(Code.FAILED_PRECONDITION, text) from error


def display_name(output: Output, prediction: Any, index: Index) -> str:
    """Return the display name of an index, or "" if the metadata has no name for it."""
    names = output.names
    if output.names_source and isinstance(prediction, dict):
        names = prediction.get(output.names_source)
    for place in index:
        if not isinstance(names, list) or place >= len(names):
            return ""
        names = names[place]
    return names if isinstance(names, str) else ""
