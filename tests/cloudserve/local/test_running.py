"""The state of running offline clouds: which process it means, and how it is stopped."""

import os
import signal
import subprocess
import sys

import pytest

from cloudserve.errors import ConflictError, UserError
from cloudserve.local.running import (
    Running,
    forget_running,
    read_running,
    start_of,
    stop_running,
    write_running,
)

URL = "http://127.0.0.1:1"
WRITE = """
import pathlib, sys
from cloudserve.local.running import write_running
write_running(pathlib.Path(sys.argv[1]), "http://127.0.0.1:1", {})
"""
STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"


@pytest.fixture
def process():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def state_of(process, started=None):
    return Running(process.pid, started or start_of(process.pid), URL, {})


@pytest.fixture(params=["by a handle", "by its number"])
def system(request, monkeypatch):
    """Run the test with handles of processes, and as on a system without them."""
    if request.param == "by its number":
        monkeypatch.delattr(os, "pidfd_open", raising=False)


def test_a_running_process_is_read(tmp_path):
    write_running(tmp_path, URL, {"A": "b"})
    running = read_running(tmp_path)
    assert (running.pid, running.url, running.environment) == (os.getpid(), URL, {"A": "b"})
    forget_running(tmp_path)
    assert read_running(tmp_path) is None


def test_the_file_of_a_killed_process_is_ignored(tmp_path):
    subprocess.run([sys.executable, "-c", WRITE, str(tmp_path)], check=True)
    assert list(tmp_path.iterdir())
    assert read_running(tmp_path) is None


@pytest.mark.usefixtures("system")
def test_a_process_is_stopped(process):
    stop_running(state_of(process), 60)
    assert process.wait() == -signal.SIGTERM


@pytest.mark.usefixtures("system")
def test_another_process_with_the_same_number_is_left_alone(process):
    stop_running(state_of(process, "another start"), 60)
    assert process.poll() is None


@pytest.mark.usefixtures("system")
def test_a_process_that_does_not_stop_is_named():
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(ConflictError, match=f"process {process.pid} still runs") as caught:
            stop_running(state_of(process), 0.05)
        assert caught.value.hint.endswith(f"kill -9 {process.pid}")
        process.kill()


@pytest.mark.usefixtures("system")
def test_a_process_that_has_ended_is_no_error(process):
    state = state_of(process)
    process.kill()
    process.wait()
    stop_running(state, 60)


def test_a_zombie_has_ended(process):
    process.send_signal(signal.SIGTERM)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert start_of(process.pid) is None


@pytest.mark.parametrize("content", [b"", b"{}", b'{"pid": "x"}', b"\xff"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "emulator.json").write_bytes(content)
    with pytest.raises(UserError, match="the state of the offline clouds cannot be read") as caught:
        read_running(tmp_path)
    assert caught.value.where == str(tmp_path / "emulator.json")
