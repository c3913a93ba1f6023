"""Memory back to the system when a model is closed."""

from __future__ import annotations

import ctypes
import sys


def give_memory_back() -> None:
    """Return the pages that are free to the system, where the C library can (glibc).

    It keeps what a large model freed for what may come, up to the whole of it.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
