"""A terminal has a bar for each transfer and a rewritten line for each wait; a log has lines."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import subprocess
import sys

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from cloudserve.cli.render.terminal import Bars, progress_view
from cloudserve.cli.verbosity import PROGRESS
from cloudserve.storage.events import (
    Direction,
    Ended,
    Moved,
    Retrying,
    Skipped,
    Started,
    Waited,
    Waiting,
)

COLOURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]")
WRITTEN = re.compile(r"\r\n|\x1b\[2K")
UP_TWO = re.compile(r"\x1b\[[2-9]A|\x1b\[1A\s*\x1b\[1A")
WAIT = """
import logging
import sys
from cloudserve.cli.options import print_progress
from cloudserve.cli.render.terminal import progress_view
from cloudserve.cli.verbosity import _verbose
from cloudserve.storage.events import Direction, Ended, FileDone, Moved, Started, Waited, Waiting

with progress_view(lambda line: print(line, file=sys.stderr)) as reporter:
    reporter.line("first")
    assert "rich" not in sys.modules
    reporter.event(Started(Direction.UPLOAD, 305, 900_000_000))
    for number in range(300):
        reporter.event(Moved(f"f{number}", 3_000_000))
        reporter.event(FileDone(f"f{number}", 3_000_000))
    reporter.event(Ended())
    reporter.waiting(Waiting("the endpoint half", 0.0, "Creating"), is_due=False)
    reporter.line("warning: [slow]")
    _verbose(None, None, True)
    logging.getLogger("cloudserve.calls").debug("S3 GetObject: 200 in 3 ms")
    print_progress("not by the reporter")
    reporter.waiting(Waiting("the endpoint half", 12.0, "Updating"), is_due=True)
    reporter.event(Waited())
    reporter.line("last")
"""

PLAIN = [
    "first",
    "warning: [slow]",
    "  S3 GetObject: 200 in 3 ms",
    "not by the reporter",
    "last",
]


@pytest.fixture
def printed():
    return []


def drawn(program, columns):
    """Run a program on a terminal; return all that it wrote there."""
    main, side = pty.openpty()
    size = {"COLUMNS": str(columns), "LINES": "24", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=side, stderr=side, env={**os.environ, **size}
    )
    os.close(side)
    pieces = []
    try:
        while piece := os.read(main, 65536):
            pieces.append(piece)
    except OSError:  # Linux: the other side is closed
        pass
    os.close(main)
    assert process.wait() == 0
    return b"".join(pieces).decode()


@pytest.mark.parametrize(("columns", "has_speed"), [(60, False), (200, True)])
def test_a_terminal_has_one_line_for_an_upload_and_one_for_a_wait(columns, has_speed):
    lines = [COLOURS.sub("", line) for line in WRITTEN.split(drawn(WAIT, columns))]
    bars = [line for line in lines if "/305 files" in line]
    assert bars[-1].startswith("  upload ━")
    assert "900.0/900.0 MB" in bars[-1]
    assert {"/s" in line or "? " in line for line in bars} == {has_speed}
    assert all(len(line.rstrip("\r")) <= columns for line in lines)
    waits = [line for line in lines if "the endpoint half" in line]
    assert ["Creating" in waits[0], "Updating" in waits[-1]] == [True, True]
    assert "is not done after" not in "".join(waits)  # the line of a log
    # Each drawing is one line, which is erased before the next lines.
    plain = [line for line in lines if line in PLAIN]
    assert plain == PLAIN
    assert UP_TWO.search("".join(lines)) is None


def test_a_bar_never_runs_backwards_or_beyond_its_end():
    out = io.StringIO()
    positions = []
    with Progress(TextColumn("x"), console=Console(file=out, force_terminal=True)) as progress:
        bars = Bars(progress, progress.console.print)
        bars.event(Started(Direction.UPLOAD, 1, 100))
        for event in (Moved("a", 60), Retrying("a", "lost", 0.5), Moved("a", 30), Skipped("a", 20)):
            bars.event(event)
            positions.append(progress.tasks[0].completed)
    assert positions == [60, 60, 90, 100]


def test_lines_are_printed_without_a_terminal(printed):
    with progress_view(printed.append) as reporter:
        reporter.line("a line")
        reporter.event(Started(Direction.UPLOAD, 0, 0))
        reporter.event(Ended())
        reporter.waiting(Waiting("the endpoint", 3.0, "Creating"), is_due=False)
        reporter.waiting(Waiting("the endpoint", 13.0, "Creating"), is_due=True)
        reporter.event(Waited())
    assert printed == [
        "a line",
        "  upload: 0 files, 0 B moved in 0 s",
        "the endpoint is not done after 13 s (Creating)",
    ]


def test_a_quiet_command_draws_nothing_on_a_terminal(printed, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(PROGRESS, "level", logging.WARNING)
    monkeypatch.setattr(PROGRESS, "_cache", {})
    with progress_view(printed.append) as reporter:
        reporter.event(Started(Direction.UPLOAD, 1, 5))
        reporter.line("warning: a line")
        reporter.event(Ended())
    assert capsys.readouterr().err == ""
    assert "warning: a line" in printed
