"""What happens during a transfer, for library users: an `Observe` is called with each event.

Events come one at a time, from the transfer's own threads. The sizes of `Moved` only ever add up:
bytes that have to be sent a second time are not told a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way the files go."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Started:
    """A transfer begins: its files and bytes, those included that turn out to be there."""

    direction: Direction
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a part of one, is there already: `size` bytes that need not move."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Moved:
    """`size` further bytes of a file are on their way."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """Something failed that may pass; it is tried again in `seconds`."""

    path: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file is whole where it should be, and verified; `moved` is False when it was there."""

    path: str
    size: int
    moved: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """All files are whole. A transfer that failed raises instead."""


Event = Started | Skipped | Moved | Retrying | FileDone | Ended
Observe = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Take an event and drop it: the default."""


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told of a transfer: lines for people, events for programs."""

    notify: Callable[[str], None]
    observe: Observe = ignore

    def both(self, event: Event) -> None:
        """Tell an event; in a line, too, when a file is done or something is tried again."""
        self.observe(event)
        match event:
            case FileDone():
                there = f"{event.size:,} bytes" if event.moved else "there already"
                self.notify(f"{event.path}: {there}")
            case Retrying():
                self.notify(f"{event.path}: {event.reason}; again in {event.seconds:.1f} s")


def serialized(observe: Observe) -> Observe:
    """Return an observer that threads may call at once; `observe` sees one event at a time."""
    lock = threading.Lock()

    def tell(event: Event) -> None:
        with lock:
            observe(event)

    return tell


class Meter:
    """Turns the positions of one body's reads into `Moved` events that never go back."""

    STEP = 1 << 20
    """Bytes between two events: reads are much smaller."""

    def __init__(self, path: str, size: int, observe: Observe) -> None:
        self._path = path
        self._size = size
        self._observe = observe
        self._told = 0

    def __call__(self, position: int) -> None:
        """Take a position; tell what is beyond the farthest so far."""
        grown = position - self._told
        if grown >= self.STEP or (grown > 0 and position == self._size):
            self._told = position
            self._observe(Moved(self._path, grown))

    def finish(self, kind: type[Moved | Skipped] = Moved) -> None:
        """Tell what is left, as moved or as skipped: the body is where it should be."""
        if self._told < self._size:
            self._observe(kind(self._path, self._size - self._told))
            self._told = self._size
