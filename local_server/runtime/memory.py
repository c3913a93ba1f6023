"""Where memory comes from, and that it returns to the system when a model is closed or fails."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from functools import cache

_MIB = 2**20
# Of malloc.h. What is larger than the first is mapped by itself and returned when it is freed, at
# the price of its pages being cleared by the next; the largest that glibc takes.
_MMAP_THRESHOLD, _MMAP_BYTES = -3, 32 * _MIB
# What an arena keeps of what was freed: the activations of a large batch.
_TRIM_THRESHOLD, _TRIM_BYTES = -1, 256 * _MIB
_USERS_CHOICE = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def keep_activations() -> None:
    """Let glibc keep what each run of a model allocates and frees, unless the environment says.

    With its own thresholds a convolutional model on large batches takes a tenth longer, on a busy
    machine half as long again.
    """
    mallopt = _find("mallopt")
    if mallopt is not None and not any(name in os.environ for name in _USERS_CHOICE):
        mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)


def collect() -> None:
    """Free what refers to itself, and return the pages.

    It takes milliseconds: the objects of TensorFlow's import, if it is imported, are frozen.
    """
    gc.collect()
    give_memory_back()


def give_memory_back() -> None:
    """Return the pages that are free to the system, where the C library can (glibc).

    It keeps what a large model freed for what may come, up to the whole of it.
    """
    if trim := _find("malloc_trim"):
        trim(0)


@cache
def _find(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, None where it has none of that name."""
    if sys.platform != "linux":
        return None
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return function
