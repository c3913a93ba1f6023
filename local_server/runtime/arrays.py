"""TensorFlow's arrays and numpy's: where the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cloudserve.savedmodel.dtypes import dtype_name

from ..status import Code, StatusError
from .types import Tensor

# What TensorFlow's C++ calls a dtype in its error texts (`DataTypeString`), where numpy differs.
_WORDS = {"float32": "float", "float64": "double", "float16": "half", "object": "string"}
_NO_VALUES = frozenset({"resource", "variant"})


def check_output(output: str, number: int) -> None:
    """Refuse an output of this `DataType` if it lives in the process: a resource, a variant.

    Raises StatusError (INVALID_ARGUMENT).
    """
    name = dtype_name(number)
    if name in _NO_VALUES:
        text = f"The output {output} is a {name}, which cannot be sent in a response"
        raise StatusError(Code.INVALID_ARGUMENT, text)


def dtype_word(dtype: np.dtype[Any]) -> str:
    """Return TensorFlow's C++ word for an element type: float32 is "float", object "string"."""
    if dtype.names:
        return dtype.names[0]  # TensorFlow's quantized types are records of one field
    return "string" if dtype.kind in "SU" else _WORDS.get(dtype.name, dtype.name)


def is_fed_as(actual: np.dtype[Any], expected: np.dtype[Any]) -> bool:
    """Return whether an array may be fed for `expected`; strings are objects or fixed bytes."""
    return actual == expected or (expected.hasobject and actual.kind == "S")


def check_dtypes(arrays: Sequence[Tensor], dtypes: Sequence[np.dtype[Any]]) -> None:
    """Refuse a wrong element type in the words of the C++ session, which its callables lack."""
    for index, (array, expected) in enumerate(zip(arrays, dtypes, strict=True)):
        if not is_fed_as(array.dtype, expected):
            raise StatusError(
                Code.INVALID_ARGUMENT,
                f"Expects arg[{index}] to be {dtype_word(expected)} "
                f"but {dtype_word(array.dtype)} is provided",
            )
