"""The identity of a machine and a process: a lock names the process that holds it."""

from __future__ import annotations

import os
from pathlib import Path

ALIVE = "alive"
"""The start time of a live process whose start time cannot be read."""
DEAD = ("Z", "X")
"""States of a process that has ended, and that its parent has not asked about yet."""


def machine() -> str:
    """Return the kernel's boot id and the process namespace, or "" where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def birth(pid: int) -> str:
    """Return what tells a process from a later one with its number, or "" when it is gone.

    ALIVE if it cannot be read (no /proc, or processes of other users are hidden).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return _alive(pid)
    fields = stat.rpartition(")")[2].split()  # proc(5), from field 3: the state
    return "" if fields[0] in DEAD else fields[19]  # field 22: the start time


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return ALIVE
    return ALIVE
