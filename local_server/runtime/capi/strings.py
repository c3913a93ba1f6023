"""Tensors of strings (`TF_TString`, tensorflow/core/platform/ctstring.h).

TensorFlow makes them itself, of a TensorProto: it frees the strings with the tensor then, whoever
holds it last, which it does not do for strings that a caller wrote into a tensor.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...messages import message_class
from ...status import Code
from ..dtypes import STRING
from ..types import Tensor
from .buffers import Lent
from .library import library
from .status import OpError, thread_status

_SIZE = 24
"""The bytes of a `TF_TString`. The lowest two bits of the first one are its kind."""
_KIND, _SMALL = 0b11, 0
_KIND_BITS = 2


def write_strings(array: Tensor, pointer: int) -> None:
    """Make a tensor that of an array of strings.

    Raises OpError (INVALID_ARGUMENT) for an element that is no string.
    """
    proto = message_class("tensorflow.TensorProto")(dtype=STRING)
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    elements = array.ravel().tolist()
    try:
        proto.string_val.extend(elements)
    except TypeError:
        del proto.string_val[:]
        proto.string_val.extend(map(_as_bytes, elements))
    status, lent = thread_status(), Lent(proto.SerializeToString())
    library().TF_TensorFromProto(lent.buffer, pointer, status.pointer)
    status.check()


def read_strings(address: int, count: int) -> Tensor:
    """Return so many strings from this place in memory, as objects in one dimension."""
    data = ctypes.string_at(address, count * _SIZE)
    strings: Tensor = np.empty(count, object)
    strings[:] = list(_read(data, address))
    return strings


def _read(data: bytes, address: int) -> Iterator[bytes]:
    """Yield the strings; up to 22 bytes stand in the `TF_TString` itself, behind their number."""
    functions = library()
    for at in range(0, len(data), _SIZE):
        first = data[at]
        if first & _KIND == _SMALL:
            yield data[at + 1 : at + 1 + (first >> _KIND_BITS)]
        else:
            string = address + at
            length = functions.TF_StringGetSize(string)
            yield ctypes.string_at(functions.TF_StringGetDataPointer(string), length)


def _as_bytes(element: Any) -> bytes:
    if isinstance(element, str):
        return element.encode()
    if isinstance(element, bytes):
        return element
    kind = type(element).__name__
    raise OpError(Code.INVALID_ARGUMENT, f"Unsupported object type {kind}")
