"""What `export` and `repair` leave when they are killed, or when there is no space."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cloudserve.check.check import check_model
from cloudserve.cli.errors import run
from cloudserve.savedmodel import list_versions, read_tree
from tests.local_server.export.graphs import train

CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))
SEED = 5


@pytest.fixture(scope="module")
def sources(tmp_path_factory, shared_models):
    folder = tmp_path_factory.mktemp("sources")
    shutil.copytree(shared_models / "tfs_half_plus_two_cpu" / "123", folder / "1")
    train(folder)
    return folder


def command(name, sources, base):
    if name == "repair":
        return ["repair", sources / "1", base / "1", "--signature", "again=serving_default"]
    return ["export", sources / "frozen.pb", base, "--version", "1"]


def assert_whole_or_absent(base):
    """Assert that a version is a sound model, and that all else is hidden; return if there is one.

    A hidden folder is not a version for any server.
    """
    if not base.exists():
        return False
    assert all(one.name == "1" or one.name.startswith(".") for one in base.iterdir())
    versions = list_versions(base)
    assert list(versions) in ([], [1])
    for number, path in versions.items():
        assert check_model(path, number, path, ("serve",)).is_servable
    return bool(versions)


def wait(process, seconds):
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["repair", "export"])
def test_a_killed_command_leaves_no_part_of_a_version(sources, tmp_path, name):
    before = read_tree(sources / "1")
    random_seconds = random.Random(SEED)
    outcomes = set()
    # tests/local_server/export/test_interrupted.py kills between the steps of an export.
    for number in range(8 if name == "repair" else 3):
        base = tmp_path / str(number)
        arguments = [str(one) for one in command(name, sources, base)]
        with subprocess.Popen([CLOUDSERVE, *arguments], stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not list(base.glob(".1.*")):
                wait(process, 0.002)
            wait(process, random_seconds.uniform(0, 0.5) if number else 0)
            process.kill()
        outcomes.add(assert_whole_or_absent(base))
        run(arguments)
        assert assert_whole_or_absent(base)  # the next command is not hindered
    assert False in outcomes
    assert read_tree(sources / "1") == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["repair", "export"])
def test_a_full_disk_is_one_error(sources, tmp_path, name):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))

    result = subprocess.run(
        [CLOUDSERVE, *command(name, sources, tmp_path / "m")],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        # Python would keep the modules that it compiles, cut at the limit.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert result.returncode in {2, 3}
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "File too large" in lines[0]
    assert "bug in cloudserve" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/etc", "leads out of the directory"),
        ("..", "leads in a circle"),
        ("absent", "is a dangling link"),
    ],
)
@pytest.mark.parametrize("name", ["repair", "export"])
def test_links_of_the_source_are_not_followed(sources, tmp_path, capsys, name, target, text):
    source = tmp_path / "1"
    shutil.copytree(sources / "1", source)
    (source / "assets" / "link").symlink_to(target)
    args = {
        "repair": ["repair", source, tmp_path / "m", "--signature", "again=serving_default"],
        "export": ["export", source, tmp_path / "m", "--inputs", "x=x:0", "--outputs", "y=y:0"],
    }[name]
    assert run([str(one) for one in args]) == 3
    assert text in " ".join(capsys.readouterr().err.split())
    assert [one.name for one in tmp_path.iterdir()] == ["1"]
