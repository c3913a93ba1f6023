"""`TF_Tensor` and arrays: one copy on the way in, none on the way out.

An array is copied into memory that TensorFlow aligns and may keep: a variable that a request
assigns holds the very tensor that was fed. A fetched tensor is seen in place; small ones are
copied, which costs less than to keep them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..dtypes import STRING, numpy_dtype
from ..types import Tensor
from .library import library
from .strings import read_strings, write_strings

_READ, _WRITE = 0x100, 0x200  # PyBUF_READ and PyBUF_WRITE of Python's object.h
_UINT8 = 4  # DT_UINT8
_SMALL = 4096

_memory: Callable[[int, int, int], memoryview] = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int
)(("PyMemoryView_FromMemory", ctypes.pythonapi))
_SHAPES = [ctypes.c_int64 * rank for rank in range(65)]
"""The types of `dims` by their number; numpy has 64 at most."""


class Handle:
    """A `TF_Tensor` that is deleted with its last reference."""

    __slots__ = ("_delete", "pointer")

    def __init__(self, pointer: int) -> None:
        self.pointer = pointer
        self._delete = library().TF_DeleteTensor

    def __del__(self) -> None:
        self._delete(self.pointer)


def new_tensor(array: Tensor, number: int) -> int:
    """Return a tensor of the `DataType` with this number, which the array's elements have.

    The caller deletes it. Strings are objects (bytes, or text to be encoded) or bytes of a fixed
    width. Raises OpError (INVALID_ARGUMENT) for an object that is none.
    """
    if number == STRING:
        return _new_strings(array)
    functions, shape, size = library(), array.shape, array.nbytes
    rank = len(shape)
    pointer: int = functions.TF_AllocateTensor(number, _SHAPES[rank](*shape), rank, size)
    if not pointer:
        raise MemoryError("TensorFlow has no memory for a tensor")
    if size > _SMALL:
        memory = _memory(functions.TF_TensorData(pointer), size, _WRITE)
        np.ndarray(shape, array.dtype, memory)[...] = array
    elif size:
        ctypes.memmove(functions.TF_TensorData(pointer), array.tobytes(), size)
    return pointer


def take_array(pointer: int, number: int) -> Tensor:
    """Return the array of a tensor, and delete the tensor with its last use.

    An array that is the tensor's own memory is read-only.
    """
    functions = library()
    shape = [functions.TF_Dim(pointer, i) for i in range(functions.TF_NumDims(pointer))]
    dtype = numpy_dtype(number)
    size = prod(shape) * dtype.itemsize
    if size > _SMALL and number != STRING:
        return _view(Handle(pointer), shape, dtype, size)
    try:
        if size == 0:
            return np.empty(shape, dtype)
        data = functions.TF_TensorData(pointer)
        if number == STRING:
            return read_strings(data, prod(shape)).reshape(shape)
        return np.ndarray(shape, dtype, _memory(data, size, _READ)).copy()
    finally:
        functions.TF_DeleteTensor(pointer)


def _new_strings(array: Tensor) -> int:
    # Of another type until it has its strings: it may be deleted without.
    functions = library()
    pointer: int = functions.TF_AllocateTensor(_UINT8, _SHAPES[1](0), 1, 0)
    try:
        write_strings(array, pointer)
    except BaseException:
        functions.TF_DeleteTensor(pointer)
        raise
    return pointer


def _view(handle: Handle, shape: Sequence[int], dtype: np.dtype[Any], size: int) -> Tensor:
    """Return the array in a tensor's memory; it refers to the memory, and so to the tensor."""
    data = library().TF_TensorData(handle.pointer)
    memory: Any = (ctypes.c_char * size).from_address(data)
    memory.handle = handle
    array: Tensor = np.ndarray(shape, dtype, memory)
    array.flags.writeable = False
    return array
