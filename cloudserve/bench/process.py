"""CPU time and memory of processes, read from Linux's `/proc`.

Source: proc(5): `stat` (utime, stime, of all threads), `statm`, `net/tcp`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LISTEN = "0A"
_STATE, _INODE = 3, 9


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds since the start of the processes, and their resident bytes now."""

    cpu: float
    memory: int
    processes: int


def is_supported() -> bool:
    """Return whether this system has `/proc` as Linux does."""
    return (_PROC / "self" / "statm").exists()


def tree(roots: frozenset[int]) -> frozenset[int]:
    """Return processes and all their descendants."""
    parents = dict(_parents())
    return frozenset(pid for pid in (*parents, *roots) if _descends(pid, roots, parents))


def read(pids: frozenset[int]) -> Reading:
    """Read processes; ended ones count as nothing."""
    readings = [reading for pid in pids if (reading := _read(pid))]
    return Reading(
        sum(cpu for cpu, _ in readings), sum(memory for _, memory in readings), len(readings)
    )


def listeners(port: int) -> frozenset[int]:
    """Return the processes that listen on a TCP port of this machine, as far as they are visible.

    Another user's processes are not.
    """
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    return frozenset(pid for pid in _pids() if sockets and _holds(pid, sockets))


def machine_times() -> tuple[float, float] | None:
    """Return the idle and the total CPU seconds of all cores since boot; None without `/proc`."""
    try:
        words = (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    values = [int(word) / ticks for word in words]
    idle, waiting_for_disk = values[3], values[4]
    return idle + waiting_for_disk, sum(values)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _parents() -> Iterator[tuple[int, int]]:
    for pid in _pids():
        if fields := _stat(pid):
            yield pid, int(fields[1])


def _descends(pid: int, roots: frozenset[int], parents: dict[int, int]) -> bool:
    while pid not in roots:
        if pid not in parents:
            return False
        pid = parents[pid]
    return True


def _read(pid: int) -> tuple[float, int] | None:
    fields = _stat(pid)
    if not fields:
        return None
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    with suppress(OSError, IndexError):
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
        return cpu, pages * os.sysconf("SC_PAGE_SIZE")
    return None


def _stat(pid: int) -> list[str]:
    """Return the fields after the process's name, which may itself contain spaces."""
    with suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                words = line.split()
                is_port = int(words[1].rpartition(":")[2], 16) == port
                if is_port and words[_STATE] == _LISTEN:
                    yield words[_INODE]


def _holds(pid: int, sockets: set[str]) -> bool:
    with suppress(OSError):
        for descriptor in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) in sockets:
                    return True
    return False
