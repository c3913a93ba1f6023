"""What the child processes that run users' code have in common: folders, output, signals."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

logger = logging.getLogger(__name__)

WriteLine = Callable[[str], None]
"""Takes a line of a process's output, in any thread."""
_KEPT_LINES, _LONGEST_LINE = 40, 2000
LAST_OUTPUT_SECONDS = 2.0


def ignore(_line: str) -> None:
    """Take a line, and do nothing with it."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A model tree, and where the process finds it."""

    tree: str
    at: str
    """Its path in the image."""
    staging: str
    """An empty folder that may be mounted at."""


class Output:
    """The output of one process, read in a thread of its own, logged, and its end kept."""

    def __init__(
        self, process: subprocess.Popen[bytes], name: str, write: WriteLine = ignore
    ) -> None:
        """Begin to read; `write` gets each line beside the log, until it fails."""
        self._process = process
        self._name = name
        self._write = write
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._thread = threading.Thread(target=self._read, name=f"{name} output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while line := stream.readline(_LONGEST_LINE):
                text = line.decode("utf-8", "replace").rstrip("\n")
                self._lines.append(text)
                logger.info("%s: %s", self._name, text)
                self._write_line(text)

    def _write_line(self, text: str) -> None:
        try:
            self._write(text)
        except Exception:  # a pipe that nobody reads would block the process
            logger.exception("the output of %s is not kept any more", self._name)
            self._write = ignore

    def wait(self) -> None:
        """Wait a moment for the end of the output; a child of the process may still write."""
        self._thread.join(LAST_OUTPUT_SECONDS)

    def last(self) -> str:
        """Return the last line that the process wrote, as the end of a sentence."""
        last = next((line for line in reversed(self._lines) if line.strip()), "")
        return f"; it last wrote: {last}" if last else ""


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a group whose leader was not waited for yet, so that its number is still its own."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
