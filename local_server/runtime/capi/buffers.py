"""`TF_Buffer`: messages handed to TensorFlow without a copy, and taken from it."""

from __future__ import annotations

import ctypes
from typing import Any

from .library import Buffer, library


class Lent:
    """Bytes that TensorFlow reads during a call; they live as long as this object."""

    __slots__ = ("_data", "buffer")

    def __init__(self, data: bytes) -> None:
        self._data = data
        pointer = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p)
        self.buffer = Buffer(pointer, len(data), None)


def take(buffer: Any) -> bytes:
    """Return the bytes of a buffer that TensorFlow made, and free it."""
    try:
        return ctypes.string_at(buffer.contents.data, buffer.contents.length)
    finally:
        library().TF_DeleteBuffer(buffer)
