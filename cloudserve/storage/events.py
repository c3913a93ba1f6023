"""Progress events of a transfer: an `Observe` is called with each one.

Events arrive one at a time, from the transfer's own threads. The sizes of `Moved` add up: bytes
that are sent again are not reported again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
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


Event = Started | Skipped | Moved | Retrying | FileDone | Ended
Observe = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignore an event: the default."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Reports a transfer: lines to people, events to programs."""

    notify: Callable[[str], None]
    observe: Observe = ignore

    def emit(self, event: Event) -> None:
        """Report an event, and a line for a finished file or a retry."""
        self.observe(event)
        match event:
            case FileDone():
                result = f"{event.size:,} bytes" if event.moved else "there already"
                self.notify(f"{event.path}: {result}")
            case Retrying():
                self.notify(f"{event.path}: {event.reason}; again in {event.seconds:.1f} s")


def serialized(observe: Observe) -> Observe:
    """Return a thread-safe observer, which passes on one event at a time."""
    lock = threading.Lock()

    def report(event: Event) -> None:
        with lock:
            observe(event)

    return report


class Meter:
    """Turns the positions of a body's reads into `Moved` events whose sizes never overlap."""

    STEP = 1 << 20
    """Bytes between two events; reads are much smaller."""

    def __init__(self, path: str, size: int, observe: Observe) -> None:
        self._path = path
        self._size = size
        self._observe = observe
        self._reported = 0

    def __call__(self, position: int) -> None:
        """Report the bytes before a position that were not reported yet."""
        grown = position - self._reported
        if grown >= self.STEP or (grown > 0 and position == self._size):
            self._reported = position
            self._observe(Moved(self._path, grown))

    def finish(self, kind: type[Moved | Skipped] = Moved) -> None:
        """Report the remaining bytes, as moved or as skipped."""
        if self._reported < self._size:
            self._observe(kind(self._path, self._size - self._reported))
            self._reported = self._size
