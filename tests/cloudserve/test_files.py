"""Files are replaced atomically, and locked by one process at a time."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading

import pytest

from cloudserve.files import replace_atomically, try_lock

OLD, NEW = b"old" * 100_000, b"new" * 100_000


def test_a_file_is_replaced_with_its_mode(tmp_path):
    path = tmp_path / "file"
    replace_atomically(path, OLD, 0o600)
    replace_atomically(path, NEW, 0o600)
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        replace_atomically(path, NEW)
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_the_old_content_or_the_new_one(tmp_path):
    path, stop = tmp_path / "file", threading.Event()
    path.write_bytes(OLD)

    def write() -> None:
        while not stop.is_set():
            replace_atomically(path, NEW)
            replace_atomically(path, OLD)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        contents = {path.read_bytes() for _ in range(300)}
    finally:
        stop.set()
        writer.join()
    assert contents <= {OLD, NEW}


HOLD = """
import sys, time
from cloudserve.files import try_lock
file = open(sys.argv[1], "ab")
print(try_lock(file), flush=True)
time.sleep(60)
"""


def test_a_lock_is_held_by_one_process_and_released_when_it_is_killed(tmp_path):
    path = tmp_path / "lock"
    with (
        subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as holder,
        path.open("ab") as file,
    ):
        try:
            assert holder.stdout.readline() == b"True\n"
            assert not try_lock(file)
        finally:
            holder.kill()
        holder.wait(30)
        assert try_lock(file)
