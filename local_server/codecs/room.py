"""The memory that a request may make beyond its own bytes.

A shape, a context or a row of padding multiplies what was sent: a kilobyte can state gigabytes.
Each such place asks here before it allocates.
"""

from __future__ import annotations

MOST_UNFOLDED_BYTES = 2**28
"""What one request, or one batch, may add. The model's outputs come on top, and their message."""
STRING_BYTES = 32
"""A string beside its bytes: TensorFlow's `tstring` (24) and numpy's pointer to it (8)."""
EXAMPLE_BYTES = 64
"""A serialized Example beside its bytes: a Python object, its place in a tensor, a `tstring`."""


class Room:
    """What is left of a request's memory, in bytes."""

    __slots__ = ("_left",)

    def __init__(self, size: int = MOST_UNFOLDED_BYTES) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Take bytes; return False, and take none, where fewer are left."""
        if size > self._left:
            return False
        self._left -= size
        return True
