"""The state of running offline clouds: a file in their data folder, for `emulate stop`.

A process is recognized by its number and the time of its start, because a system gives the number
of an ended process to another one. A file that a killed process left behind is ignored.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloudserve.errors import ConflictError, UserError
from cloudserve.files import replace_atomically

_FILE = "emulator.json"
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Running:
    """Running offline clouds."""

    pid: int
    started: str
    """The start of the process, as the system tells it."""
    url: str
    environment: Mapping[str, str]
    """The variables that point clients at them."""


def write_running(folder: Path, url: str, environment: Mapping[str, str]) -> None:
    """Write that this process runs the offline clouds of a data folder; replaces an older file."""
    state = Running(os.getpid(), start_of(os.getpid()) or "", url, environment)
    replace_atomically(folder / _FILE, msgspec.json.encode(state), 0o600)


def forget_running(folder: Path) -> None:
    """Remove the file of a data folder; call it while its lock is held."""
    (folder / _FILE).unlink(missing_ok=True)


def read_running(folder: Path) -> Running | None:
    """Return the running offline clouds of a data folder; None if there are none."""
    file = folder / _FILE
    try:
        state = msgspec.json.decode(file.read_bytes(), type=Running)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(
            f"the state of the offline clouds cannot be read: {error}",
            where=str(file),
            hint="name the data folder of offline clouds; remove the file if it is damaged",
        ) from error
    return state if start_of(state.pid) == state.started else None


def stop_running(state: Running, seconds: float) -> None:
    """End offline clouds, and return when their process has ended.

    Raises ConflictError if it is still running after `seconds`. A process that has the same number
    but another start is never signalled.
    """
    handle = _handle(state.pid)
    if handle is None:
        _stop_by_number(state, seconds)
        return
    try:
        # The handle names the process that has the number now, and keeps naming it.
        if start_of(state.pid) != state.started:
            return
        _signal(state, lambda: signal.pidfd_send_signal(handle, signal.SIGTERM))
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(seconds * 1000):
            raise _still_running(state, seconds)
    finally:
        os.close(handle)


def start_of(pid: int) -> str | None:
    """Return when a process started, in the system's own form; None if there is no such process.

    On Linux this is the boot and the clock ticks since (proc(5): field 22 of `stat`).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except ProcessLookupError:
        return None
    except OSError:
        return _start_by_ps(pid) if not Path("/proc/self/stat").exists() else None
    # The name in parentheses may contain anything. A zombie has ended.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def _start_by_ps(pid: int) -> str | None:
    done = subprocess.run(  # noqa: S603 - a number
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)],
        env={"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def _handle(pid: int) -> int | None:
    """Return a descriptor of a process; None if there is none, or the system has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _stop_by_number(state: Running, seconds: float) -> None:
    if start_of(state.pid) != state.started:
        return
    _signal(state, lambda: os.kill(state.pid, signal.SIGTERM))
    deadline = time.monotonic() + seconds
    while start_of(state.pid) == state.started:
        if time.monotonic() > deadline:
            raise _still_running(state, seconds)
        time.sleep(_POLL_SECONDS)


def _signal(state: Running, send: Callable[[], None]) -> None:
    try:
        with suppress(ProcessLookupError):
            send()
    except PermissionError as error:
        raise UserError(
            f"process {state.pid} belongs to another user",
            where=state.url,
            hint="stop the offline clouds as the user who started them",
        ) from error


def _still_running(state: Running, seconds: float) -> ConflictError:
    return ConflictError(
        f"process {state.pid} still runs {seconds:g} seconds after it was told to stop",
        where=state.url,
        hint=f"look at its log, or end it: kill -9 {state.pid}",
    )
