"""What tells machines and processes apart: a lock names the process that holds it."""

from __future__ import annotations

import os
from pathlib import Path


def machine() -> str:
    """Return the kernel's boot id and the process namespace, or "" where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def birth(pid: int) -> str:
    """Return what tells a process from a later one with its number, or "" when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return _alive(pid)
    return stat.rpartition(")")[2].split()[19]  # proc(5): starttime, field 22


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "alive"
    return "alive"
