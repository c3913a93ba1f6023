"""A command as a container: its health, its end, and the end of whoever started it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cloudserve.local_server.own_images import (
    Command,
    CommandServer,
    Launch,
    expand,
    free_port,
    process,
)

from cloudserve.errors import ModelError
from tests.local_server.clouds.images import SERVER

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]
OWNER = """
import asyncio, sys
from pathlib import Path
from tests.local_server.own_images.test_command_server import launch
from cloudserve.local_server.own_images import CommandServer

async def main():
    server = CommandServer(launch(Path(sys.argv[1]), "child", 30.0))
    await server.start()
    print(server._process._process.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def launch(folder: Path, mode: str, seconds: float) -> Launch:
    port = free_port()
    environment = {"SAGEMAKER_BIND_TO_PORT": str(port), "PATH": os.environ["PATH"]}
    words = (sys.executable, "server.py", mode)
    return Launch(Command("mine:1", words, folder, environment), port, "/ping", seconds, 2.0)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "server.py").write_text(SERVER)
    return tmp_path


def running(group: int) -> list[str]:
    """Return the processes of a group that are not over; zombies are."""
    results = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            results.append(stat.parent.name)
    return results


def test_a_process_that_does_not_start_in_time_fails_with_the_reason(folder, monkeypatch):
    monkeypatch.setattr(process, "_START_SECONDS", 0.001)
    server = CommandServer(launch(folder, "serves", 60.0))
    with pytest.raises(ModelError, match=r"its process did not start within 0\.001 seconds"):
        asyncio.run(server.start())


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("deaf", r"was not healthy within 1 seconds: nothing listens on port \d+"),
        ("unhealthy", r"was not healthy within 1 seconds: /ping answered 500"),
        ("exits", r"ended with exit code 3; it last wrote: no weights found"),
    ],
)
def test_a_command_that_is_not_healthy_in_time_fails_with_the_reason(folder, mode, reason):
    server = CommandServer(launch(folder, mode, 1.0))
    with pytest.raises(ModelError) as error:
        asyncio.run(server.start())
    assert re.fullmatch(rf"`\S+ server\.py {mode}` {reason}", error.value.message)


def test_all_that_a_command_started_ends_with_its_killed_owner(folder):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert owner.stdout is not None
    group = int(owner.stdout.readline())
    assert len(running(group)) == 3
    owner.kill()
    owner.wait()
    owner.stdout.close()
    end = time.monotonic() + 30
    while running(group):
        assert time.monotonic() < end
        os.sched_yield()


def test_references_are_expanded_as_kubernetes_does():
    assert expand("$(A)-$(NO)-$$(A)-$A", {"A": "1"}) == "1-$(NO)-$(A)-$A"
