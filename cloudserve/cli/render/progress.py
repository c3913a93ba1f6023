"""How a transfer is shown: bars on a terminal, else a line every ten seconds.

Bytes only ever add up in the events, so neither runs backwards. What is tried again, and each file
that is done, is told in a line by whoever notifies people (`storage.events.Told`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cloudserve.cli.render.report import counted
from cloudserve.storage.events import Ended, Event, FileDone, Moved, Skipped, Started

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 10.0
UNITS = ("B", "kB", "MB", "GB", "TB")
STEP = 1000.0
MINUTE = 60
Tell = Callable[[str], None]


class View(Protocol):
    """Where events of transfers are shown."""

    def observe(self, event: Event) -> None:
        """Show an event."""
        ...

    def line(self, text: str) -> None:
        """Show a line of progress above what moves."""
        ...


@dataclass(slots=True)
class Tally:
    """What has been moved of a transfer, and how fast, at a time in seconds."""

    verb: str = ""
    files: int = 0
    size: int = 0
    began: float = 0.0
    files_done: int = 0
    moved: int = 0
    skipped: int = 0

    def take(self, event: Event, now: float) -> None:
        """Count an event."""
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
        """Return the bytes that are where they should be."""
        return min(self.moved + self.skipped, self.size)

    def sentence(self, now: float) -> str:
        """Say how far it is, how fast it goes and how long it will take."""
        rate = self.moved / max(now - self.began, 1e-9)
        share = 100 * self.done // self.size if self.size else 100
        parts = [f"{self.verb}: {self.done_of()} ({share} %)", f"{human(rate)}/s"]
        if rate and self.done < self.size:
            parts.append(f"{clock((self.size - self.done) / rate)} left")
        return ", ".join(parts)

    def done_of(self) -> str:
        """Return the bytes that are there, of all."""
        return f"{human(self.done)} of {human(self.size)}"


class Lines:
    """A line every ten seconds, for logs; a transfer that is shorter has only its end."""

    def __init__(self, tell: Tell, now: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._now = now
        self._tally = Tally()
        self._told = 0.0

    def observe(self, event: Event) -> None:
        """Count an event; tell when it is time."""
        now = self._now()
        self._tally.take(event, now)
        match event:
            case Started():
                self._told = now
            case Ended():
                self._tell(f"  {self._end(now)}")
            case _ if now - self._told >= SECONDS_BETWEEN_LINES:
                self._told = now
                self._tell(f"  {self._tally.sentence(now)}")

    def line(self, text: str) -> None:
        """Tell a line."""
        self._tell(text)

    def _end(self, now: float) -> str:
        tally, seconds = self._tally, now - self._tally.began
        there = f", {human(tally.skipped)} were there already" if tally.skipped else ""
        moved = human(tally.moved)
        files = counted(tally.files, "file")
        return f"{tally.verb}: {files}, {moved} moved in {clock(seconds)}{there}"


class Bars:
    """One bar for all of a transfer, on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tally = Tally()
        self._task: TaskID | None = None

    def observe(self, event: Event) -> None:
        """Move the bar; it goes when all has moved, since a release waits for other things then."""
        self._tally.take(event, time.monotonic())
        if isinstance(event, Started):
            # Not before: a question must have the terminal to itself.
            self._progress.start()
            self._task = self._progress.add_task(event.direction, total=event.size, files="")
        if self._task is not None:
            tally = self._tally
            files = f"{tally.files_done}/{tally.files} files"
            is_moving = not isinstance(event, Ended)
            self._progress.update(self._task, completed=tally.done, files=files, visible=is_moving)

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def showing(tell: Tell) -> Iterator[View]:
    """Give what shows transfers: bars where standard error is a terminal, else lines to `tell`."""
    if not sys.stderr.isatty():
        yield Lines(tell)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[files]}"),
    )
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    try:
        yield Bars(progress)
    finally:
        progress.stop()


def human(size: float) -> str:
    """Return a number of bytes in decimal units: `12.3 MB`."""
    for unit in UNITS:
        if size < STEP or unit == UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == UNITS[0] else f"{size:.1f} {unit}"
        size /= STEP
    raise AssertionError("the last unit returns")


def clock(seconds: float) -> str:
    """Return a duration as people say it: `42 s`, `3 min 20 s`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    return f"{whole // MINUTE} min {whole % MINUTE} s"
