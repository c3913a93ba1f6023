"""Clients that cannot be installed beside the server, against the real command.

`make oracle-aws` makes them an environment of their own and names the server's command in
CLOUDSERVE; anywhere else these tests are skipped.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

VARIABLE = "CLOUDSERVE"
NO_SERVER = f"{VARIABLE} does not name the server's command: see `make oracle-aws`"


@pytest.fixture(scope="session")
def environment() -> Iterator[Mapping[str, str]]:
    """Give what a running emulator, which verifies signatures, told clients to be set to."""
    if VARIABLE not in os.environ:
        pytest.skip(NO_SERVER)
    command = [os.environ[VARIABLE], "emulate", "--port", "0", "--env", "--auth", "strict"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = {}
        for line in process.stdout:
            if line.startswith("# ready"):
                break
            name, _, value = line.removeprefix("export ").rstrip("\n").partition("=")
            if line.startswith("export "):
                printed[name] = "".join(shlex.split(value))
        else:
            pytest.fail("the emulator did not start")
        try:
            yield printed
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def models(shared_models: Path) -> Mapping[str, Path]:
    """Give model trees: `two` answers x/2 + 2, `three` x/2 + 3."""
    folders = {"two": "tfs_half_plus_two_2v", "three": "tfs_half_plus_three"}
    return {name: shared_models / folder for name, folder in folders.items()}


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> str:
    """Give a name that no other test uses."""
    return f"t{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}"
