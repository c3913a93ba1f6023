"""The files of a log: complete records, bounded sizes, and no other file is touched."""

import errno
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cloudserve.local_server.codecs.tfrecord import RecordError, frame, read_records
from cloudserve.local_server.monitoring.log_files import LogFiles
from cloudserve.local_server.monitoring.log_options import LogLimits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OVERHEAD = len(frame(b""))


class Clock:
    """A time that advances by a second each time it is read."""

    def __init__(self):
        self.now = datetime(2026, 11, 21, 14, 22, 33, 123456, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "logs" / "half"


@pytest.fixture
def begin(prefix):
    """Begin a log as a process does; what is open is closed at the end."""
    opened = []

    def begin(*, clock=None, at=prefix, **limits):
        opened.append(LogFiles(str(at), LogLimits(**limits), clock or Clock()))
        return opened[-1]

    yield begin
    for files in opened:
        files.close()


def contents(prefix):
    """Return the records of each file, the oldest first."""
    return [records(path) for path in sorted(prefix.parent.iterdir())]


def records(path):
    with path.open("rb") as file:
        return list(read_records(file))


def test_a_file_is_named_by_when_it_was_begun_and_is_there_at_once(begin, prefix):
    begin().write(b"one")
    assert [path.name for path in prefix.parent.iterdir()] == [
        "half-20261121T142234.123456Z.tfrecord"
    ]
    assert contents(prefix) == [[b"one"]]


def test_nothing_is_made_before_there_is_a_record(begin, prefix):
    begin()
    assert not prefix.parent.exists()


def test_a_file_takes_so_many_records_and_no_more(begin, prefix):
    files = begin(file_records=2)
    for number in range(5):
        files.write(bytes([number]))
    assert contents(prefix) == [[b"\0", b"\1"], [b"\2", b"\3"], [b"\4"]]


def test_a_file_takes_so_many_bytes_and_no_more(begin, prefix):
    files = begin(file_bytes=2 * (OVERHEAD + 1))
    for number in range(3):
        files.write(bytes([number]))
    assert contents(prefix) == [[b"\0", b"\1"], [b"\2"]]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 200), min_size=1, max_size=40), st.integers(500, 2000))
def test_a_log_never_outgrows_its_bound_and_keeps_the_newest(tmp_path_factory, sizes, bound):
    prefix = tmp_path_factory.mktemp("log") / "half"
    files = LogFiles(str(prefix), LogLimits(total_bytes=bound), Clock())
    written = [bytes([number]) + bytes(size) for number, size in enumerate(sizes)]
    for record in written:
        files.write(record)
        assert sum(path.stat().st_size for path in prefix.parent.iterdir()) <= bound
    files.close()
    kept = [record for file in contents(prefix) for record in file]
    assert kept == written[-len(kept) :]


def test_the_next_process_continues_with_a_file_of_its_own_and_counts_the_old_ones(begin, prefix):
    clock = Clock()
    size = OVERHEAD + 1
    for number in range(4):
        begin(clock=clock, total_bytes=4 * size, file_bytes=size).write(bytes([number]))
    assert contents(prefix) == [[b"\0"], [b"\1"], [b"\2"], [b"\3"]]
    begin(clock=clock, total_bytes=4 * size, file_bytes=size).write(b"\4")
    assert contents(prefix) == [[b"\1"], [b"\2"], [b"\3"], [b"\4"]]


def test_files_of_others_are_not_touched(begin, prefix):
    prefix.parent.mkdir()
    others = ["half", "half-1.tfrecord", "half2-20200101T000000.000000Z.tfrecord", "half-x"]
    for name in others:
        (prefix.parent / name).write_bytes(bytes(1000))
    begin(total_bytes=100).write(b"one")
    assert {path.name for path in prefix.parent.iterdir()} >= set(others)


def test_two_processes_that_begin_at_once_have_a_file_each(begin, prefix):
    begin().write(b"one")
    begin().write(b"two")
    assert contents(prefix) == [[b"one"], [b"two"]]


def test_a_record_that_is_larger_than_a_file_is_refused(begin, prefix):
    files = begin(total_bytes=200)
    with pytest.raises(ValueError, match="a record of 101 bytes is larger than a file may be"):
        files.write(bytes(101 - OVERHEAD))
    files.write(bytes(100 - OVERHEAD))
    assert contents(prefix) == [[bytes(100 - OVERHEAD)]]


class Full:
    """A disk on which only so many bytes fit: `write` takes what it can, then fails."""

    def __init__(self, room):
        self.room = room
        self.real = os.write

    def __call__(self, file, data):
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self.real(file.fileno(), data[: self.room])
        self.room -= taken
        return taken


@pytest.fixture
def disk(monkeypatch):
    """Make the disk full after so many bytes."""

    def fill(room):
        full = Full(room)

        def write_all(file, data):
            rest = memoryview(data)
            while rest:
                rest = rest[full(file, rest) :]

        monkeypatch.setattr("cloudserve.local_server.monitoring.log_files._write_all", write_all)
        return full

    return fill


@pytest.mark.parametrize("cut", range(1, OVERHEAD + 3))
def test_nothing_is_left_of_a_record_for_which_the_disk_has_no_room(begin, prefix, disk, cut):
    files = begin()
    full = disk(OVERHEAD + 3 + cut)
    files.write(b"one")
    with pytest.raises(OSError, match="No space left"):
        files.write(b"two")
    assert contents(prefix) == [[b"one"]]
    full.room = 1000
    files.write(b"three")
    assert contents(prefix) == [[b"one"], [b"three"]]


def test_a_file_whose_first_record_fails_is_not_left_behind(begin, prefix, disk):
    disk(5)
    with pytest.raises(OSError, match="No space left"):
        begin().write(b"one")
    assert contents(prefix) == []


KILLED = """
import os, sys
from cloudserve.local_server.monitoring.log_files import LogFiles
from cloudserve.local_server.monitoring.log_options import LogLimits
files = LogFiles(sys.argv[1], LogLimits(file_records=50))
for number in range(10**9):
    files.write(number.to_bytes(8, "little") * 1000)
    if number == 120:
        os.write(1, b"ready")
"""


def test_a_process_that_is_killed_leaves_whole_records_and_the_next_continues(begin, prefix):
    command = [sys.executable, "-c", KILLED, str(prefix)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.read(5) == b"ready"
        process.send_signal(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
    left = sorted(prefix.parent.iterdir())
    numbers = [int.from_bytes(each[:8], "little") for path in left for each in whole(path)]
    assert numbers == [*range(len(numbers))]
    assert len(numbers) > 120
    begin(clock=lambda: datetime.now(UTC)).write(b"next")
    assert records(max(prefix.parent.iterdir())) == [b"next"]
    assert sorted(prefix.parent.iterdir())[:-1] == left


def whole(path):
    """Return the whole records of a file, whose last one may be cut."""
    results = []
    with path.open("rb") as file:
        try:
            for record in read_records(file):
                results.append(record)  # noqa: PERF402  those before the cut count
        except RecordError as error:
            assert str(error).startswith("truncated record")
    assert all(len(record) == 8000 for record in results)
    return results
