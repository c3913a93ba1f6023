"""Progress of transfers in a log: a line every ten seconds, and one at the end.

The bytes of the events only add up, so progress never runs backwards. The files of a small transfer
have a line each. Retries and waits are reported as lines by the library.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cloudserve.plural import counted
from cloudserve.storage.events import (
    Ended,
    Event,
    FileDone,
    Moved,
    Skipped,
    Started,
    Waited,
    Waiting,
)

SECONDS_BETWEEN_LINES = 10.0
FILES_WITH_LINES = 10
UNITS = ("B", "kB", "MB", "GB", "TB")
STEP = 1000.0
MINUTE = 60
PrintLine = Callable[[str], None]


@dataclass(slots=True)
class Tally:
    """The progress and speed of a transfer; times in seconds."""

    verb: str = ""
    files: int = 0
    size: int = 0
    began: float = 0.0
    files_done: int = 0
    moved: int = 0
    skipped: int = 0

    def add(self, event: Event, now: float) -> None:
        """Add an event."""
        match event:
            case Started():
                self.verb, self.files, self.size = event.direction, event.files, event.size
                self.began, self.files_done, self.moved, self.skipped = now, 0, 0, 0
            case Moved():
                self.moved += event.size
            case Skipped():
                self.skipped += event.size
            case FileDone():
                self.files_done += 1

    @property
    def done(self) -> int:
        """Return the number of bytes that have arrived."""
        return min(self.moved + self.skipped, self.size)

    def sentence(self, now: float) -> str:
        """Return the progress, the speed and the remaining time."""
        rate = self.moved / max(now - self.began, 1e-9)
        share = 100 * self.done // self.size if self.size else 100
        parts = [f"{self.verb}: {self.done_of()} ({share} %)", f"{format_bytes(rate)}/s"]
        if rate and self.done < self.size:
            parts.append(f"{format_duration((self.size - self.done) / rate)} left")
        return ", ".join(parts)

    def file_line(self, event: Event) -> str:
        """Return the line for a completed file of a small transfer, otherwise ""."""
        if not isinstance(event, FileDone) or self.files > FILES_WITH_LINES:
            return ""
        return f"  {event.path}: {counted(event.size, 'byte') if event.moved else 'already exists'}"

    def done_of(self) -> str:
        """Return the number of bytes that have arrived, and the total."""
        return f"{format_bytes(self.done)} of {format_bytes(self.size)}"


class Lines:
    """A line every ten seconds, for logs, and one at the end of a transfer."""

    def __init__(self, print_line: PrintLine, now: Callable[[], float] = time.monotonic) -> None:
        self._print_line = print_line
        self._now = now
        self._tally = Tally()
        self._last_line = 0.0

    def event(self, event: Event) -> None:
        """Add an event, and print a line if ten seconds have passed or the transfer has ended."""
        if isinstance(event, Waiting | Waited):
            return
        now = self._now()
        self._tally.add(event, now)
        if line := self._tally.file_line(event):
            self._print_line(line)
        match event:
            case Started():
                self._last_line = now
            case Ended():
                self._print_line(f"  {self._end(now)}")
            case _ if now - self._last_line >= SECONDS_BETWEEN_LINES:
                self._last_line = now
                self._print_line(f"  {self._tally.sentence(now)}")

    def _end(self, now: float) -> str:
        tally, seconds = self._tally, now - self._tally.began
        existing = f", {format_bytes(tally.skipped)} already existed" if tally.skipped else ""
        moved = format_bytes(tally.moved)
        files = counted(tally.files, "file")
        return f"{tally.verb}: {files}, {moved} moved in {format_duration(seconds)}{existing}"


def format_bytes(size: float) -> str:
    """Return a number of bytes in decimal units: `12.3 MB`."""
    for unit in UNITS:
        if size < STEP or unit == UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == UNITS[0] else f"{size:.1f} {unit}"
        size /= STEP
    raise AssertionError("the last unit returns")


def format_duration(seconds: float) -> str:
    """Return a duration as text: `42 s`, `3 min 20 s`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    return f"{whole // MINUTE} min {whole % MINUTE} s"
