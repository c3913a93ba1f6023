"""A command that runs while a server does, as `cloudserve emulate -- COMMAND` starts it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from cloudserve.cli.servers.loop import (
    leave_if_stuck,
    received_signals,
    skip_exit_handlers,
    start_unless,
)
from cloudserve.errors import UserError
from cloudserve.local.servers import RunsModels

_STDERR = 2
_LOOPBACK = "127.0.0.1,localhost"
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def check_command(argv: Sequence[str]) -> None:
    """Raise UserError if a command cannot be started."""
    if shutil.which(argv[0]) is None:
        raise UserError(
            f"the command `{argv[0]}` does not exist or cannot be executed",
            hint="give a program on PATH and its arguments after `--`; `sh -c '…'` runs a script",
        )


def bypass_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep requests to this machine away from configured proxies."""
    if not any(environ.get(name) for name in _PROXIES):
        return {}
    hosts = (environ.get("NO_PROXY", ""), environ.get("no_proxy", ""), _LOOPBACK)
    entries = (entry.strip() for entry in ",".join(hosts).split(","))
    names = ",".join(dict.fromkeys(filter(None, entries)))
    return {"NO_PROXY": names, "no_proxy": names}


@contextmanager
def kept_stderr() -> Iterator[int | None]:
    """Yield a copy of the descriptor of stderr for a command; None if the process has no stderr.

    The server takes the descriptor away for moments, while it opens a library that writes to it. A
    command that inherited it then would lose its errors.
    """
    try:
        copy = os.dup(_STDERR)
    except OSError:
        yield None
        return
    try:
        yield copy
    finally:
        os.close(copy)


async def run_beside(
    server: RunsModels,
    argv: Sequence[str],
    environment: Callable[[], Mapping[str, str]],
    stderr: int | None = None,
    report: Callable[[], None] = lambda: None,
) -> int:
    """Start a server, run a command with `environment()`, stop the server; return the exit code.

    The code is the command's, or 128 plus the number of the signal that ended it, as in a shell.
    `stderr` is the command's, from `kept_stderr`; `report` is called when the server has stopped,
    which may be the last that this process does: see `leave_if_stuck`. SIGTERM and SIGINT are
    passed on to the command. A signal during the start of the server cancels it.
    """
    signals = received_signals()
    if not await start_unless(server, signals):
        return 128 + await signals.get()
    try:
        process = await asyncio.create_subprocess_exec(*argv, env=environment(), stderr=stderr)
        code = await _wait(process, signals)
    finally:
        await server.stop()
        skip_exit_handlers()
    report()
    leave_if_stuck(server, code)
    return code


async def _wait(process: Process, signals: asyncio.Queue[signal.Signals]) -> int:
    forwarding = asyncio.ensure_future(_forward(signals, process))
    try:
        code = await process.wait()
    finally:
        forwarding.cancel()
    return code if code >= 0 else 128 - code


async def _forward(signals: asyncio.Queue[signal.Signals], process: Process) -> None:
    while True:
        number = await signals.get()
        # Ctrl-C reaches the command itself: the terminal sends it to all foreground processes.
        if number is not signal.SIGINT or not _is_in_foreground():
            with suppress(ProcessLookupError):
                process.send_signal(number)


def _is_in_foreground() -> bool:
    """Return whether this process has a terminal, and Ctrl-C there is sent to it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
