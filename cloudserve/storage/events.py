"""Progress: lines for people, and the events of transfers and waits for programs.

Both arrive one at a time, events of a transfer from its own threads. The sizes of `Moved` add up:
bytes that are sent again are not reported again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Direction(StrEnum):
    """The direction of a transfer."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Started:
    """A transfer starts; files and bytes include those that need not be moved."""

    direction: Direction
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a part of one, already exists: `size` bytes need not be moved."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Moved:
    """`size` more bytes of a file were moved."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """A transient failure; the next attempt starts in `seconds`."""

    path: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file is complete and verified; `moved` is False if it already existed."""

    path: str
    size: int
    moved: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """All files are complete. A failed transfer raises instead."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An operation of a platform is not done, `seconds` after the wait began."""

    what: str
    seconds: float
    state: str = ""
    """The last state, as the platform names it; "" if it names none."""

    @property
    def sentence(self) -> str:
        """Return the line for people."""
        state = f" ({self.state})" if self.state else ""
        seconds = round(self.seconds, 1) if self.seconds < _LONG else round(self.seconds)
        return f"{self.what} is not done after {seconds:g} s{state}"


@dataclass(frozen=True, slots=True)
class Waited:
    """A wait has ended, for whatever reason."""


_LONG = 10.0
"""Seconds above which their tenths say nothing."""
Event = Started | Skipped | Moved | Retrying | FileDone | Ended | Waiting | Waited
Notify = Callable[[str], None]
Observe = Callable[[Event], None]


def ignore(report: object) -> None:
    """Ignore a line or an event."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Receives the progress of a verb; both callbacks do nothing by default."""

    on_line: Notify = ignore
    on_event: Observe = ignore
    shows_waits: bool = False
    """Whether `on_event` shows what `Waiting` has: waits have no lines then."""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def line(self, text: str) -> None:
        """Report a line for people."""
        with self._lock:
            self.on_line(text)

    def event(self, event: Event) -> None:
        """Report an event, and a line for a retry."""
        with self._lock:
            self.on_event(event)
            if isinstance(event, Retrying):
                self.on_line(f"{event.path}: {event.reason}; again in {event.seconds:.1f} s")

    def waiting(self, wait: Waiting, *, is_due: bool) -> None:
        """Report a wait; a line only if one is due."""
        with self._lock:
            self.on_event(wait)
            if is_due and not self.shows_waits:
                self.on_line(wait.sentence)

    def changes(self) -> Reporter:
        """Return a reporter that leaves out a line if it is equal to the line before."""
        last = ""

        def line(text: str) -> None:
            nonlocal last
            if text != last:
                last = text
                self.on_line(text)

        return replace(self, on_line=line)

    def indented(self) -> Reporter:
        """Return a reporter whose lines are below this one's."""
        return replace(self, on_line=lambda text: self.on_line(f"  {text}"))


SILENT = Reporter()


class Meter:
    """Turns the positions of a body's reads into `Moved` events whose sizes never overlap."""

    STEP = 1 << 20
    """Bytes between two events; reads are much smaller."""

    def __init__(self, path: str, size: int, reporter: Reporter) -> None:
        self._path = path
        self._size = size
        self._reporter = reporter
        self._reported = 0

    def __call__(self, position: int) -> None:
        """Report the bytes before a position that were not reported yet."""
        grown = position - self._reported
        if grown >= self.STEP or (grown > 0 and position == self._size):
            self._reported = position
            self._reporter.event(Moved(self._path, grown))

    def finish(self, kind: type[Moved | Skipped] = Moved) -> None:
        """Report the remaining bytes, as moved or as skipped."""
        if self._reported < self._size:
            self._reporter.event(kind(self._path, self._size - self._reported))
            self._reported = self._size
