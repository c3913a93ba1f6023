"""Transfers are shown as a line every ten seconds in a log."""

from __future__ import annotations

import pytest

from cloudserve.cli.render.progress import Lines, format_bytes, format_duration
from cloudserve.storage.events import (
    Direction,
    Ended,
    FileDone,
    Moved,
    Reporter,
    Retrying,
    Skipped,
    Started,
    Waited,
    Waiting,
)

MB = 1_000_000


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Clock()


@pytest.fixture
def printed():
    return []


def test_a_log_has_a_line_every_ten_seconds_and_one_at_the_end(time, printed):
    lines = Lines(printed.append, time)
    lines.event(Started(Direction.UPLOAD, 2, 100 * MB))
    for second in range(1, 26):
        time.now = 100 + second
        lines.event(Moved("big", 2 * MB))
    assert printed == [
        "  upload: 20.0 MB of 100.0 MB (20 %), 2.0 MB/s, 40 s left",
        "  upload: 40.0 MB of 100.0 MB (40 %), 2.0 MB/s, 30 s left",
    ]
    lines.event(Skipped("small", 50 * MB))
    time.now = 150
    lines.event(Ended())
    assert printed[2:] == ["  upload: 2 files, 50.0 MB moved in 50 s, 50.0 MB already existed"]


def test_a_wait_after_a_transfer_is_no_part_of_it(time, printed):
    lines = Lines(printed.append, time)
    for event in (Started(Direction.UPLOAD, 1, 5), Moved("a", 5), Ended()):
        lines.event(event)
    time.now += 60
    for event in (Waiting("the endpoint", 12.0, "Creating"), Waited()):
        lines.event(event)
    assert printed == ["  upload: 1 file, 5 B moved in 0 s"]


def test_existing_bytes_do_not_count_for_the_rate(time, printed):
    lines = Lines(printed.append, time)
    lines.event(Started(Direction.DOWNLOAD, 1, 100 * MB))
    lines.event(Skipped("big", 80 * MB))
    time.now = 110
    lines.event(Moved("big", 10 * MB))
    assert printed == ["  download: 90.0 MB of 100.0 MB (90 %), 1.0 MB/s, 10 s left"]


def test_a_short_transfer_has_only_the_last_line(time, printed):
    lines = Lines(printed.append, time)
    for event in (Started(Direction.UPLOAD, 1, 5), Moved("a", 5), FileDone("a", 5), Ended()):
        lines.event(event)
    assert printed == ["  a: 5 bytes", "  upload: 1 file, 5 B moved in 0 s"]


@pytest.mark.parametrize(("files", "lines"), [(10, 11), (11, 1), (305, 1)])
def test_only_the_files_of_a_small_transfer_have_lines(time, printed, files, lines):
    view = Lines(printed.append, time)
    view.event(Started(Direction.UPLOAD, files, files))
    for number in range(files):
        view.event(FileDone(f"f{number}", 1, moved=number > 0))
    view.event(Ended())
    assert len(printed) == lines
    assert printed[0] == ("  f0: already exists" if lines > 1 else printed[-1])


def test_a_retry_has_a_line(printed):
    events = []
    reporter = Reporter(printed.append, events.append)
    for event in (
        Moved("a", 5),
        FileDone("a", 5000),
        FileDone("b", 1, moved=False),
        Retrying("c", "lost", 1.23),
    ):
        reporter.event(event)
    assert printed == ["c: lost; again in 1.2 s"]
    assert len(events) == 4


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (535 * MB, "535.0 MB"), (7e15, "7000.0 TB")],
)
def test_sizes_are_in_decimal_units(size, text):
    assert format_bytes(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s")])
def test_durations_are_in_minutes_and_seconds(seconds, text):
    assert format_duration(seconds) == text


def test_a_reporter_of_changes_leaves_out_repeated_lines(printed):
    reporter = Reporter(printed.append)
    states = reporter.changes()
    for state in ("Creating", "Creating", "InService", "Creating"):
        states.line(state)
        reporter.line("between")
    assert [line for line in printed if line != "between"] == ["Creating", "InService", "Creating"]
