"""Progress on a terminal: a bar for each transfer, and a rewritten line for each wait.

Both are drawn on standard error, and erased when they end: what stays are the lines.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudserve.cli.colours import toned
from cloudserve.cli.render.progress import Lines, PrintLine, Tally
from cloudserve.cli.verbosity import PROGRESS
from cloudserve.hints import without_controls
from cloudserve.plural import counted
from cloudserve.storage.events import Ended, Event, Reporter, Started, Waited, Waiting

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_ROOM_FOR_SPEED = 80
"""The width from which a bar's line has the speed too."""


class Bars:
    """One bar per transfer."""

    def __init__(self, progress: Progress, print_line: PrintLine) -> None:
        self._progress = progress
        self._print_line = print_line
        self._tally = Tally()
        self._task: TaskID | None = None

    def event(self, event: Event) -> None:
        """Advance the bar."""
        self._tally.add(event, time.monotonic())
        if line := self._tally.file_line(event):
            self._print_line(line)
        if isinstance(event, Started):
            self._task = self._progress.add_task(event.direction, total=event.size, files="")
        if self._task is not None:
            tally = self._tally
            files = f"{tally.files_done}/{counted(tally.files, 'file')}"
            self._progress.update(self._task, completed=tally.done, files=files)


class Terminal:
    """Draws what is in progress. Nothing is drawn, and rich not imported, before the first event.

    A drawing would overwrite a question for confirmation, so it ends with its transfer or wait.
    """

    def __init__(self, print_line: PrintLine) -> None:
        self._print_line = print_line
        self._drawn: Progress | None = None
        self._bars: Bars | None = None
        self._task: TaskID | None = None

    def line(self, text: str) -> None:
        """Print a line, above the drawing if there is one."""
        if self._drawn is None:
            self._print_line(text)
            return
        from rich.text import Text

        styled = Text.from_ansi(toned(without_controls(text)))
        self._drawn.console.print(styled, soft_wrap=True)

    def event(self, event: Event) -> None:
        """Draw the progress of an event."""
        match event:
            case Waiting():
                self._wait(event)
            case Waited():
                self.erase()
            case Started():
                self._bars = Bars(self._draw(_bars), self.line)
                self._bars.event(event)
            case _ if self._bars is not None:
                self._bars.event(event)
        if isinstance(event, Ended):
            self.erase()

    def erase(self) -> None:
        """Erase the drawing, if there is one."""
        if self._drawn is not None:
            self._drawn.stop()
        self._drawn = self._bars = self._task = None

    def _wait(self, wait: Waiting) -> None:
        state = f": {wait.state}" if wait.state else ""
        text = without_controls(f"{wait.what}{state}")
        if self._drawn is None or self._task is None:
            self._task = self._draw(_wait_line).add_task(text)
        else:
            self._drawn.update(self._task, description=text)

    def _draw(self, make: Callable[[], Progress]) -> Progress:
        self.erase()
        self._drawn = make()
        self._drawn.start()
        return self._drawn


@contextmanager
def progress_view(print_line: PrintLine) -> Iterator[Reporter]:
    """Yield a reporter that draws if standard error is a terminal, and otherwise prints.

    With `--quiet` nothing is drawn: `print_line` leaves the warnings.
    """
    if not (sys.stderr.isatty() and PROGRESS.isEnabledFor(logging.INFO)):
        yield Reporter(print_line, Lines(print_line).event)
        return
    terminal = Terminal(print_line)
    try:
        yield Reporter(terminal.line, terminal.event, shows_waits=True)
    finally:
        terminal.erase()


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column
    from rich.theme import Theme

    def kept() -> Column:
        return Column(no_wrap=True)

    # Rich's own colour of a speed is red, which is that of errors here.
    console = Console(stderr=True, theme=Theme({"progress.data.speed": "cyan"}))
    speed = (TransferSpeedColumn(kept()),) if console.width >= _ROOM_FOR_SPEED else ()
    columns = (
        TextColumn("  {task.description}", table_column=kept()),
        BarColumn(bar_width=None),
        DownloadColumn(table_column=kept()),
        *speed,
        TimeRemainingColumn(table_column=kept()),
        TextColumn("{task.fields[files]}", table_column=kept()),
    )
    return Progress(*columns, console=console, transient=True, expand=True)


def _wait_line() -> Progress:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
    columns = (TextColumn(" "), SpinnerColumn(), text, TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
