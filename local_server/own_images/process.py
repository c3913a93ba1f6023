"""One process that runs a command in a container's place: started, watched, ended.

For threads: `start` and `stop` block.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from cloudserve.errors import ModelError

from ..child_processes import LAST_OUTPUT_SECONDS, Mount, Output, WriteLine, ignore, signal_group

logger = logging.getLogger(__name__)

_GUARD = Path(__file__).with_name("guard.py")
_MOUNTING = Path(__file__).parents[1] / "container" / "python_service" / "model_folder.py"
_START_SECONDS = 60.0
_NOT_MOUNTED = (
    "%s: this system permits no private mount, so %s does not exist; the model's files are in %s, "
    "which SM_MODEL_DIR names"
)


@dataclass(frozen=True, slots=True)
class Command:
    """What runs, where, and with which variables: nothing is inherited."""

    name: str
    """What the log calls it."""
    words: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    mount: Mount | None = None
    write: WriteLine = ignore
    """Takes the lines of its output, beside the log."""

    def __str__(self) -> str:
        return " ".join(self.words)


class CommandProcess:
    """A process group: the command, what it starts, and a guard that outlives no emulator."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: socket.socket | None = None
        self._news: IO[bytes] | None = None
        self._output: Output | None = None
        self._waiter: threading.Thread | None = None
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
        self._output = Output(self._process, self._command.name, self._command.write)
        first = self._await_start()
        if "error" in first:
            self.stop(0.0)
            raise ModelError(f"`{self._command}` cannot be started: {first['error']}{self.said()}")
        ours.settimeout(None)
        self._tell_mount(is_mounted=first["is_mounted"])
        self._waiter = threading.Thread(
            target=self._await_end, args=(self._output,), name="container", daemon=True
        )
        self._waiter.start()

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

    def _await_start(self) -> dict[str, Any]:
        """Return the guard's first news, with the key `error` if the command does not run."""
        try:
            return self._read_news() or {"error": "its process ended"}
        except TimeoutError:
            return {"error": f"its process did not start within {_START_SECONDS:g} seconds"}

    def _read_news(self) -> dict[str, Any] | None:
        assert self._news is not None
        try:
            line = self._news.readline()
        except TimeoutError:
            raise
        except OSError:  # the process is gone
            return None
        return json.loads(line) if line else None

    def _await_end(self, output: Output) -> None:
        last = self._read_news()
        output.wait()
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
        return self._output.last() if self._output else ""

    def stop(self, seconds: float) -> None:
        """End the command and all that it started: SIGTERM, and SIGKILL after so many seconds."""
        with self._stops:
            process, self._process = self._process, None
            if process is not None:
                self._stop(process, seconds)

    def _stop(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        if seconds and not self.has_ended():
            signal_group(process, signal.SIGTERM)
            self._ended.wait(seconds)
        signal_group(process, signal.SIGKILL)
        process.wait()
        if self._output:
            self._output.wait()
        if self._waiter:
            self._waiter.join(LAST_OUTPUT_SECONDS)
        assert self._news is not None
        assert self._lifeline is not None
        self._news.close()
        self._lifeline.close()


_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` in a command, its arguments or its variables, as Kubernetes does.

    Source: Kubernetes, "Define a command and arguments for a container", which aiplatform v1's
    ModelContainerSpec names: what is not set stays as it is written, `$$(NAME)` is the text
    `$(NAME)`.
    """

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else variables.get(match[2], match[0])

    return _REFERENCE.sub(value, text)
