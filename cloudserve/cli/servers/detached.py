"""Offline clouds that keep running when the command that started them has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

import click

from cloudserve.errors import UserError

LOG = "emulator.log"
VARIABLE = "CLOUDSERVE_EMULATE_DETACH"
"""The variable of the option: it must not detach the detached process again."""
_READY = "# ready"
_LOCK = ".lock"
"""The file by which offline clouds take a data folder; a folder of other files has none."""


def start_detached(arguments: Sequence[str], data: Path) -> bool:
    """Run `cloudserve emulate` with arguments in a session of its own, until its clouds answer.

    Its log is appended to a file in the data folder. If it fails, print what it logged and return
    False; a folder that is refused stays as it is. An interruption of the wait ends it.
    """
    is_new = not (data / LOG).exists()
    log = _open_log(data)
    begin = log.tell()
    with log:
        process = subprocess.Popen(  # noqa: S603 - this program, with the user's options
            [sys.executable, "-m", "cloudserve", "emulate", "--env", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={name: value for name, value in os.environ.items() if name != VARIABLE},
            text=True,
            start_new_session=True,
        )
    try:
        started = _is_ready(process)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if not started:
        process.wait()
        click.echo((data / LOG).read_bytes()[begin:].decode("utf-8", "replace"), err=True, nl=False)
        if is_new and not (data / _LOCK).exists():
            (data / LOG).unlink()
    return started


def _open_log(data: Path) -> IO[bytes]:
    try:
        data.mkdir(parents=True, exist_ok=True)
        # It has the link of the console, with the token of its changes.
        return open(data / LOG, "ab", opener=partial(os.open, mode=0o600))
    except OSError as error:
        raise UserError(
            f"the data directory cannot be used: {error.strerror}",
            where=str(data),
            hint="give --data a directory that you may write to",
        ) from error


def _is_ready(process: subprocess.Popen[str]) -> bool:
    """Return whether the process announced that its clouds answer, rather than ended."""
    assert process.stdout is not None
    with process.stdout as lines:
        return any(line.startswith(_READY) for line in lines)
