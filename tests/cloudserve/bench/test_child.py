"""The server in a child process: started, ended, and ended with its parent."""

import os
import select
import signal
import subprocess
import sys

import pytest

from cloudserve.bench.child import child_server
from cloudserve.errors import ModelError, UserError

PARENT = """
import sys
from pathlib import Path
from cloudserve.bench.child import child_server
with child_server(Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def half(shared_models):
    return shared_models / "tfs_half_plus_two_cpu"


def wait_for_end(pid):
    """Return once a process that is not a child has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        assert select.select([descriptor], [], [], 60)[0]
    finally:
        os.close(descriptor)


def test_a_server_that_is_killed_says_by_what(half):
    with child_server(half) as server:
        assert server.ending is None
        assert server.rest.startswith("http://127.0.0.1:")
        server.process.kill()
        server.process.wait()
        assert server.ending == "the server was killed by SIGKILL"


def test_options_reach_the_server(half):
    with child_server(half, ["--no-grpc"]) as server:
        assert server.grpc == ""


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (["--nonsense"], UserError, "no such option"),
        (["--deny-ops", "AddV2,Add,Mul"], ModelError, "Add|Mul"),
    ],
)
def test_a_server_that_does_not_start_raises_its_own_error(half, options, kind, message):
    with pytest.raises(kind, match=message), child_server(half, options):
        pass


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="neither a SavedModel nor"), child_server(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux's pidfd")
def test_a_server_ends_when_its_parent_is_killed(half):
    command = [sys.executable, "-c", PARENT, str(half)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        wait_for_end(pid)
