"""One process that runs a command in a container's place: started, watched, ended.

For threads: `start` and `stop` block.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from cloudserve.errors import ModelError

logger = logging.getLogger(__name__)

_GUARD = Path(__file__).with_name("guard.py")
_MOUNTING = Path(__file__).parents[1] / "container" / "python_service" / "model_folder.py"
_KEPT_LINES, _LONGEST_LINE = 40, 2000
_LAST_WORDS_SECONDS = 2.0
_START_SECONDS = 30.0
_NOT_MOUNTED = (
    "%s: this system permits no private mount, so %s does not exist; the model's files are in %s, "
    "which SM_MODEL_DIR names"
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A model tree, and where the command finds it."""

    tree: str
    at: str
    """Its path in the image."""
    staging: str
    """An empty folder that may be mounted at."""


@dataclass(frozen=True, slots=True)
class Command:
    """What runs, where, and with which variables: nothing is inherited."""

    name: str
    """What the log calls it."""
    words: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    mount: Mount | None = None

    def __str__(self) -> str:
        return " ".join(self.words)


class CommandProcess:
    """A process group: the command, what it starts, and a guard that outlives no emulator."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: socket.socket | None = None
        self._news: IO[bytes] | None = None
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._threads: tuple[threading.Thread, ...] = ()
        self._code: int | None = None
        self._ended = threading.Event()
        self._stops = threading.Lock()

    def start(self) -> None:
        """Start the command; raises ModelError with the reason why it cannot run."""
        if not self._command.folder.is_dir():
            raise ModelError(
                f"there is no folder {self._command.folder} to run `{self._command}` in"
            )
        ours, theirs = socket.socketpair()
        ours.settimeout(_START_SECONDS)
        self._lifeline, self._news = ours, ours.makefile("rb")
        with theirs:
            self._process = self._spawn(theirs.fileno())
        first = self._read_news()
        if first is None or "error" in first:
            self.stop(0.0)
            reason = first["error"] if first else "its process ended"
            raise ModelError(f"`{self._command}` cannot be started: {reason}{self.said()}")
        ours.settimeout(None)
        self._tell_mount(is_mounted=first["is_mounted"])
        lines = _thread(partial(self._read_lines, self._process))
        self._threads = (lines, _thread(partial(self._await_end, lines)))

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        command, mount = self._command, self._command.mount
        options = {
            "command": list(command.words),
            "folder": str(command.folder),
            "mount": mount and asdict(mount),
            "mounting": str(_MOUNTING),
            "unmounted": {"SM_MODEL_DIR": mount.tree} if mount else {},
        }
        return subprocess.Popen(  # noqa: S603 - the user's own command, asked for
            [sys.executable, "-P", "-S", str(_GUARD), str(descriptor), json.dumps(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(descriptor,),
            env=dict(command.environment),
            start_new_session=True,
        )

    def _tell_mount(self, *, is_mounted: bool) -> None:
        mount = self._command.mount
        if mount is not None and not is_mounted:
            logger.warning(_NOT_MOUNTED, self._command.name, mount.at, mount.tree)

    def _read_news(self) -> dict[str, Any] | None:
        assert self._news is not None
        try:
            line = self._news.readline()
        except OSError:  # too late
            return None
        return json.loads(line) if line else None

    def _read_lines(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            while line := stream.readline(_LONGEST_LINE):
                text = line.decode("utf-8", "replace").rstrip("\n")
                self._lines.append(text)
                logger.info("%s: %s", self._command.name, text)

    def _await_end(self, lines: threading.Thread) -> None:
        last = self._read_news()
        lines.join(_LAST_WORDS_SECONDS)
        self._code = last.get("code") if last else None
        self._ended.set()

    def has_ended(self) -> bool:
        """Return whether the command has ended."""
        return self._ended.is_set()

    def wait_for_end(self, seconds: float) -> None:
        """Wait so long for the end of a command that seems to be over."""
        self._ended.wait(seconds)

    def end(self) -> str:
        """Return how the command ended, as a sentence with the last line that it wrote."""
        code = self._code
        if code is None:
            how = "was killed"
        elif code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"ended with exit code {code}"
        return f"`{self._command}` {how}{self.said()}"

    def said(self) -> str:
        """Return the last line that the command wrote, as the end of a sentence."""
        last = next((line for line in reversed(self._lines) if line.strip()), "")
        return f"; it last wrote: {last}" if last else ""

    def stop(self, seconds: float) -> None:
        """End the command and all that it started: SIGTERM, and SIGKILL after so many seconds."""
        with self._stops:
            process, self._process = self._process, None
            if process is not None:
                self._stop(process, seconds)

    def _stop(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        if seconds and not self.has_ended():
            _signal_group(process, signal.SIGTERM)
            self._ended.wait(seconds)
        _signal_group(process, signal.SIGKILL)
        process.wait()
        if not self._threads:
            self._read_lines(process)
        for thread in self._threads:
            thread.join(_LAST_WORDS_SECONDS)
        assert self._news is not None
        assert self._lifeline is not None
        self._news.close()
        self._lifeline.close()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a group whose leader was not waited for yet, so that its number is still its own."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name="container", daemon=True)
    thread.start()
    return thread
