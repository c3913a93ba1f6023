"""The memory of this machine or container."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@cache
def machine_memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or its cgroup's limit.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst.
    """
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in _CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # "max" is not a number
            sizes.append(int(file.read_text()))
    return min(sizes)
