"""One process that runs the user's `inference.py`: started, asked, killed, started again.

The user's code can raise, hang, exit, print or answer nonsense: each is an error of the request
that met it. After a hang or an exit the next request gets a new process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cloudserve.errors import ModelError

from .frames import BrokenFrameError, FrameSocket

logger = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("worker_script.py")
_KEPT_LINES = 40
_LONGEST_LINE = 2000
_LAST_WORDS_SECONDS = 2.0
_TRANSLATED = (
    "%s: %s is found by Python's own functions alone, because this system allows no private mount: "
    "a library in C does not find it"
)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model tree, and where the process finds it."""

    tree: Path
    at: str
    """Its path in the image."""
    staging: Path
    """An empty folder that the process may mount at."""


@dataclass(frozen=True, slots=True)
class Script:
    """What a process runs, and how."""

    path: Path
    """`inference.py`."""
    python_path: tuple[Path, ...]
    environment: Mapping[str, str]
    """All of its variables: nothing is inherited."""
    folder: ModelFolder | None = None
    checks_status: bool = True
    """Whether TensorFlow Serving's refusals are answered before `output_handler` (2.20)."""
    name: str = "inference.py"
    """What the log calls it."""


class HandlerError(Exception):
    """A process did not answer; `is_late` when its time was over."""

    def __init__(self, message: str, *, is_late: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_late = is_late


class HandlerProcess:
    """A process that answers one request at a time.

    For one thread at a time; `interrupt` for any.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: FrameSocket | None = None
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._reader: threading.Thread | None = None
        self._guard = threading.Lock()
        self._is_closed = False

    def start(self, seconds: float) -> None:
        """Start the process and have it import the script.

        Raises ModelError with the last lines it wrote when it does not within `seconds`.
        """
        self._spawn()
        assert self._frames is not None
        try:
            answer, _ = self._frames.exchange(_options(self._script), b"", seconds)
        except TimeoutError:
            self.kill()
            raise ModelError(
                f"code/inference.py was not imported within {seconds:g} seconds{self._said()}"
            ) from None
        except (BrokenFrameError, OSError) as error:
            self.kill()
            raise ModelError(f"code/inference.py ended its process{self._said()}") from error
        if "error" in answer:
            self.kill()
            raise ModelError(
                f"code/inference.py cannot be imported: {answer['error']}{self._said()}"
            )
        if answer.get("is_mounted") is False and self._script.folder is not None:
            logger.info(_TRANSLATED, self._script.name, self._script.folder.at)

    def call(
        self, head: dict[str, Any], body: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """Have a request answered; a process that ended is started again first.

        Raises HandlerError when none came within `seconds`, or the process ended.
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
                f"{self._said()}",
                is_late=True,
            ) from None
        except (BrokenFrameError, OSError) as error:
            self.kill()
            raise HandlerError(f"inference.py ended without an answer{self._said()}") from error
        except ModelError as error:
            raise HandlerError(error.message) from error

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with self._guard, theirs:
            if self._is_closed:
                ours.close()
                raise BrokenFrameError("the container is stopped")
            self._lines.clear()
            self._process = subprocess.Popen(  # noqa: S603 - the user's own code, asked for
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
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read_lines, args=(self._process.stdout,), name="handler-log", daemon=True
        )
        self._reader.start()

    def _read_lines(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(_LONGEST_LINE):
                text = line.decode("utf-8", "replace").rstrip("\n")
                self._lines.append(text)
                logger.info("%s: %s", self._script.name, text)

    def _said(self) -> str:
        """Return the last line the process wrote, as the end of a sentence."""
        last = next((line for line in reversed(self._lines) if line.strip()), "")
        return f"; it last wrote: {last}" if last else ""

    def kill(self) -> None:
        """End the process and all it started; the next call starts another.

        What it wrote before is in the log then, unless something that it started keeps on writing.
        """
        with self._guard:
            process, self._process = self._process, None
            frames, self._frames = self._frames, None
        if process is None or frames is None:
            return
        _kill_group(process)
        process.wait()
        frames.close()
        if self._reader is not None:
            self._reader.join(_LAST_WORDS_SECONDS)

    def interrupt(self) -> None:
        """End the process for good, for any thread: who waits for its answer gets an error."""
        with self._guard:
            self._is_closed = True
            if self._process is not None:
                _kill_group(self._process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was not waited for yet, and what the user's code started in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _joined(folders: tuple[Path, ...]) -> str:
    return os.pathsep.join(map(str, folders))


def _options(script: Script) -> dict[str, Any]:
    folder = script.folder
    places = folder and {n: str(getattr(folder, n)) for n in ("tree", "at", "staging")}
    return {
        "script": str(script.path),
        "checks_status": script.checks_status,
        "folder": places,
    }
