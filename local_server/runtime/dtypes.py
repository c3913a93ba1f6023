"""TensorFlow's element types as numpy's. Imports numpy and not TensorFlow.

Quantized types are records of one field and strings are objects, as TensorFlow's Python has them.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from cloudserve.savedmodel.dtypes import PROTO_NAMES, dtype_name

_QUANTIZED = {
    "qint8": "int8",
    "quint8": "uint8",
    "qint16": "int16",
    "quint16": "uint16",
    "qint32": "int32",
}
_REFERENCE = 100
"""What types.proto adds to the number of a type for a reference to it (`DT_FLOAT_REF = 101`)."""

STRING = 7
"""`DT_STRING`."""


def base_number(number: int) -> int:
    """Return the `DataType` of what a reference refers to; another is returned as it is."""
    return number - _REFERENCE if number > _REFERENCE else number


def numpy_dtype(number: int) -> np.dtype[Any]:
    """Return numpy's type of a `DataType`.

    Raises KeyError for resources and variants, which live in the process.
    """
    return _BY_NUMBER[number]


def _find(name: str) -> np.dtype[Any] | None:
    if name in _QUANTIZED:
        return np.dtype([(name, _QUANTIZED[name])])
    if name == "string":
        return np.dtype(object)
    try:
        return np.dtype(getattr(ml_dtypes, name, name))
    except TypeError:
        return None


_BY_NUMBER = {
    number: dtype for number in PROTO_NAMES if (dtype := _find(dtype_name(number))) is not None
}
