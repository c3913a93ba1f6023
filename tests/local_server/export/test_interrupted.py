"""Exports that are killed between two of their steps, or that fill the disk."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from cloudserve.check.check import check_model
from cloudserve.cli.errors import run
from cloudserve.savedmodel import list_versions, read_tree

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
v1 = tf.compat.v1

STEPS = {
    "export.plan_export": False,
    "batches.write_model": False,
    "export.check_draft": False,
    "export.compare": False,
    "export._appear": False,
    "export.shutil.rmtree": True,
}
"""Functions of the package, in the order of their calls, and whether the version has appeared."""

KILLER = """
import importlib, os, signal, sys
import tensorflow  # once for all children
from cloudserve.cli.errors import run

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

source, *steps = sys.argv[1:]
for step in steps:
    if not (child := os.fork()):
        module, *path, function = step.split(".")
        place = importlib.import_module(f"cloudserve.local_server.export.{module}")
        for name in path:
            place = getattr(place, name)
        setattr(place, function, kill)
        os._exit(run(["export", source, step, "--open-batch"]))
    _, status = os.waitpid(child, 0)
    print(step, -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
"""

FILLER = """
import json, os, subprocess, sys
from cloudserve.cli.errors import run

disk, *sources = sys.argv[1:]
for size in range(400, 3400, 500):
    for source in sources:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", disk], check=True)
        print(f"\\n== {size} {source}", file=sys.stderr, flush=True)
        code = run(["export", source, f"{disk}/m/n", "--open-batch"])
        sys.stderr.flush()
        print("left", json.dumps([code, sorted(os.listdir(disk))]), flush=True)
        subprocess.run(["umount", disk], check=True)
"""


def write_sources(folder):
    """Write models of one MB, as a Keras file, a SavedModel and a frozen graph of four rows."""
    weight = np.ones((256, 1024), np.float32)
    x = tf.keras.Input(batch_shape=(4, 256), name="x")
    model = tf.keras.Model(x, tf.keras.layers.Dense(1024, use_bias=False, name="y")(x))
    model.save(folder / "large.keras")
    with tf.Graph().as_default() as graph, v1.Session() as session:
        rows = v1.placeholder(tf.float32, [4, 256], "x")
        tf.matmul(rows, weight, name="y")
        (folder / "large.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with tf.Graph().as_default(), v1.Session() as session:
        rows = v1.placeholder(tf.float32, [4, 256], "x")
        answer = rows @ v1.get_variable("w", initializer=weight)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder / "large"), {"x": rows}, {"y": answer})
    return ["large.keras", "large.pb", "large"]


def versions(base):
    """Return the numbers of the versions, each of them sound; all else is hidden."""
    found = list_versions(base) if base.exists() else {}
    assert all(one.name in map(str, found) or one.name[0] == "." for one in base.glob("*"))
    for number, path in found.items():
        assert check_model(path, number, path, ("serve",)).findings == ()
    return list(found)


def test_a_kill_between_two_steps_leaves_a_whole_version_or_none(tmp_path):
    source = write_sources(tmp_path)[2]
    before = read_tree(tmp_path / source)
    command = [sys.executable, "-c", KILLER, source, *STEPS]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert said.stdout.split() == [one for step in STEPS for one in (step, f"-{signal.SIGKILL:d}")]
    for step, has_appeared in STEPS.items():
        assert versions(tmp_path / step) == [1] * has_appeared
        assert list((tmp_path / step).glob(".1.*"))  # what the page says to remove
        assert run(["export", str(tmp_path / source), str(tmp_path / step), "--open-batch"]) == 0
        assert versions(tmp_path / step) == [1, 2][: 1 + has_appeared]
    assert read_tree(tmp_path / source) == before


def test_a_disk_that_fills_up_is_one_error(tmp_path):
    sources = write_sources(tmp_path)
    (tmp_path / "disk").mkdir()
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = [*namespace, "mount", "-t", "tmpfs", "none", str(tmp_path / "disk")]
    if (
        not shutil.which("unshare")
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("this machine allows no file system of its own to a process")
    command = [*namespace, sys.executable, "-c", FILLER, "disk", *sources]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    codes = set()
    reports = said.stderr.split("\n== ")[1:]
    lines = [line for line in said.stdout.splitlines() if line.startswith("left ")]
    for report, line in zip(reports, lines, strict=True):
        code, left = json.loads(line.removeprefix("left "))
        assert left == (["m"] if code == 0 else []), report
        if code:
            (error,) = [text for text in report.splitlines() if text.startswith("error: ")]
            assert error == "error: the version cannot be written: No space left on device"
            assert "make room, or name another folder" in report
        codes.add(code)
    assert codes == {0, 2}
