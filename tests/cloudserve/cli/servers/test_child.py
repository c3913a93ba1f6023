"""A command that runs beside a server keeps its own stderr."""

import asyncio
import os
import sys

import pytest

from cloudserve.cli.servers.child import kept_stderr, run_beside

COMMAND = [sys.executable, "-c", "import sys; sys.exit('error: told')"]


class Quiet:
    """A server that holds its stderr back when the command starts, as TensorFlow's loader does."""

    is_stuck = False

    def __init__(self, held):
        self.held, self.real = held, os.dup(2)

    async def start(self):
        os.dup2(self.held.fileno(), 2)

    async def stop(self):
        os.dup2(self.real, 2)
        os.close(self.real)


@pytest.mark.parametrize(("is_kept", "text"), [(True, "error: told\n"), (False, "")])
def test_a_command_writes_to_the_stderr_that_the_process_began_with(tmp_path, capfd, is_kept, text):
    with (tmp_path / "held").open("w") as held, kept_stderr() as stderr:
        server = Quiet(held)
        running = run_beside(server, COMMAND, lambda: os.environ, stderr if is_kept else None)
        assert asyncio.run(running) == 1
    assert capfd.readouterr().err == text


def test_a_process_without_a_stderr_has_none_to_keep(monkeypatch):
    def closed(descriptor):
        raise OSError(descriptor)

    monkeypatch.setattr(os, "dup", closed)
    with kept_stderr() as stderr:
        assert stderr is None
