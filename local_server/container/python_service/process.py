"""A process that runs the user's `inference.py`.

The user's code can raise, hang, exit, print or return nonsense: each is an error of the current
request. After a hang or an exit the next request starts a new process.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError

from ...child_processes import Mount, Output, WriteLine, ignore, signal_group
from .frames import BrokenFrameError, FrameSocket

logger = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("worker_script.py")
_TRANSLATED = (
    "%s: only Python's functions find %s, because this system does not permit private mounts:"
    " a C library does not find it"
)


@dataclass(frozen=True, slots=True)
class Script:
    """The script of a process, and its settings."""

    path: Path
    """`inference.py`."""
    python_path: tuple[Path, ...]
    environment: Mapping[str, str]
    """All variables of the process; none are inherited."""
    folder: Mount | None = None
    checks_status: bool = True
    """Whether an error of TensorFlow Serving skips `output_handler` (2.20)."""
    name: str = "inference.py"
    """Its name in the log."""
    write: WriteLine = ignore
    """Takes the lines of its output, beside the log."""


class HandlerError(Exception):
    """A process did not answer; `is_late` if its timeout expired."""

    def __init__(self, message: str, *, is_late: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_late = is_late


class HandlerProcess:
    """A process that handles one request at a time.

    Not thread-safe, except for `interrupt`.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: FrameSocket | None = None
        self._output: Output | None = None
        self._guard = threading.Lock()
        self._is_closed = False

    def start(self, seconds: float) -> None:
        """Start the process and wait until it has imported the script.

        Raises ModelError with its last output if the import fails or takes more than `seconds`.
        """
        self._spawn()
        assert self._frames is not None
        try:
            answer, _ = self._frames.exchange(_options(self._script), b"", seconds)
        except TimeoutError:
            self.kill()
            raise ModelError(
                "code/inference.py was not imported within"
                f" {seconds:g} seconds{self._last_output()}"
            ) from None
        except (BrokenFrameError, OSError) as error:
            self.kill()
            message = f"code/inference.py ended its process{self._last_output()}"
            raise ModelError(message) from error
        if "error" in answer:
            self.kill()
            raise ModelError(
                f"code/inference.py cannot be imported: {answer['error']}{self._last_output()}"
            )
        if answer.get("is_mounted") is False and self._script.folder is not None:
            logger.info(_TRANSLATED, self._script.name, self._script.folder.at)

    def call(
        self, head: dict[str, Any], body: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request and return the answer; restarts a process that ended before.

        Raises HandlerError if there is no answer within `seconds` or the process ends.
        """
        try:
            if self._frames is None:
                self.start(seconds)
            assert self._frames is not None
            return self._frames.exchange(head, body, seconds)
        except TimeoutError:
            self.kill()
            raise HandlerError(
                f"inference.py did not answer within {seconds:g} seconds and was stopped"
                f"{self._last_output()}",
                is_late=True,
            ) from None
        except (BrokenFrameError, OSError) as error:
            self.kill()
            raise HandlerError(
                f"inference.py ended without an answer{self._last_output()}"
            ) from error
        except ModelError as error:
            raise HandlerError(error.message) from error

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with self._guard, theirs:
            if self._is_closed:
                ours.close()
                raise BrokenFrameError("the container is stopped")
            self._process = subprocess.Popen(  # noqa: S603 - runs the user's code, as requested
                [sys.executable, "-P", "-u", str(_SCRIPT), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                env={**self._script.environment, "PYTHONPATH": _joined(self._script.python_path)},
                cwd=self._script.path.parent,
                start_new_session=True,
            )
            self._frames = FrameSocket(ours)
        self._output = Output(self._process, self._script.name, self._script.write)

    def _last_output(self) -> str:
        return self._output.last() if self._output else ""

    def kill(self) -> None:
        """Kill the process and its children; the next call starts another one.

        Its output is in the log afterwards, unless one of its children is still writing.
        """
        with self._guard:
            process, self._process = self._process, None
            frames, self._frames = self._frames, None
        if process is None or frames is None:
            return
        signal_group(process, signal.SIGKILL)
        process.wait()
        frames.close()
        if self._output is not None:
            self._output.wait()

    def interrupt(self) -> None:
        """Kill the process permanently, from any thread; a pending call raises HandlerError."""
        with self._guard:
            self._is_closed = True
            if self._process is not None:
                signal_group(self._process, signal.SIGKILL)


def _joined(folders: tuple[Path, ...]) -> str:
    return os.pathsep.join(map(str, folders))


def _options(script: Script) -> dict[str, Any]:
    folder = script.folder and asdict(script.folder)
    return {"script": str(script.path), "checks_status": script.checks_status, "folder": folder}
