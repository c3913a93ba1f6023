"""Interruption of a thread's work: what Ctrl-C is to the main thread.

Python raises KeyboardInterrupt in the main thread alone. A server that carries out a release in
another thread gives it an `Interruption`; the release's waits and the begins of its steps then
raise KeyboardInterrupt, and the release ends as a command does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CURRENT: ContextVar[Interruption | None] = ContextVar("interruption", default=None)


class Interruption:
    """A request to stop, made by one thread and noticed by another."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def request(self) -> None:
        """Ask the work to stop."""
        self._event.set()

    def check(self) -> None:
        """Raise KeyboardInterrupt once if the work is asked to stop."""
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Sleep; raise KeyboardInterrupt once, immediately, if the work is asked to stop."""
        if self._event.wait(seconds):
            # Once, as Ctrl-C: the work may wait again while it records its end.
            self._event.clear()
            raise KeyboardInterrupt


@contextmanager
def interruptible(interruption: Interruption) -> Iterator[None]:
    """Let another thread interrupt what this one does in the block."""
    token = _CURRENT.set(interruption)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check_interrupted() -> None:
    """Raise KeyboardInterrupt if the work of this thread is interrupted."""
    current = _CURRENT.get()
    if current is not None:
        current.check()


def pause(seconds: float) -> None:
    """Sleep; raises KeyboardInterrupt if the work of this thread is interrupted."""
    current = _CURRENT.get()
    if current is None:
        time.sleep(seconds)
    else:
        current.wait(seconds)
