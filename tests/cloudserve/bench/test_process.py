"""CPU and memory of processes, compared with what the standard library knows of this one."""

import os
import socket
import subprocess
import sys
import time

import pytest

from cloudserve.bench import process

pytestmark = pytest.mark.skipif(not process.is_supported(), reason="there is no /proc")

CHILD = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"


@pytest.fixture
def child():
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=pipe, stdout=pipe) as running:
        running.stdout.readline()
        yield running
        running.stdin.close()


def test_cpu_seconds_grow_as_the_process_clock_does():
    own = frozenset({os.getpid()})
    before, clock = process.read(own), time.process_time()
    while time.process_time() < clock + 0.2:
        pass
    used = process.read(own).cpu - before.cpu
    assert used == pytest.approx(time.process_time() - clock, abs=0.05)
    assert process.read(own).memory > 2**20


def test_a_tree_has_the_descendants_and_nobody_else(child):
    assert child.pid in process.tree(frozenset({os.getpid()}))
    assert process.tree(frozenset({child.pid})) == {child.pid}


def test_an_ended_process_counts_as_nothing(child):
    pids = frozenset({child.pid})
    assert process.read(pids).processes == 1
    child.kill()
    child.wait()
    assert process.read(pids) == process.Reading(0, 0, 0)


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_listener_is_found_by_its_port(family, host):
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        # Another process of this machine may listen on the same port of another address.
        assert os.getpid() in process.listeners(port)
    assert os.getpid() not in process.listeners(port)


def test_a_client_of_a_port_is_not_its_listener(child):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert process.listeners(client.getsockname()[1]) == frozenset()


def test_the_machine_is_at_most_entirely_idle():
    idle, total = process.machine_times()
    assert 0 < idle < total
