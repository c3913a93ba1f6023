"""The memory that a request may need beyond its own bytes.

A shape, a context or a row of padding multiplies the bytes of a request: a kilobyte can declare
gigabytes. Each such place checks here before it allocates.
"""

from __future__ import annotations

MOST_UNFOLDED_BYTES = 2**28
"""The maximum for one request or batch. The model's outputs and their message come on top."""
STRING_BYTES = 32
"""The overhead of a string: TensorFlow's `tstring` (24) and numpy's pointer to it (8)."""
EXAMPLE_BYTES = 64
"""The overhead of a serialized Example: a Python object, its place in a tensor, a `tstring`."""


class Room:
    """The rest of a request's memory, in bytes."""

    __slots__ = ("_left",)

    def __init__(self, size: int = MOST_UNFOLDED_BYTES) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Take bytes and return True; if fewer are left, take none and return False."""
        if size > self._left:
            return False
        self._left -= size
        return True
