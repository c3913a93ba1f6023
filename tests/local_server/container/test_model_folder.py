"""/opt/ml/model in `inference.py`: mounted where the kernel allows it, else translated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cloudserve.local_server.container.python_service import model_folder

from tests.local_server.container.test_handlers import handler

READ = "open('/opt/ml/model/code/words.txt').read()"
LOAD = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("model_folder", {model_folder.__file__!r})
folder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(folder)
tree, staging = sys.argv[1:]
"""
PYTHONS_OWN = """
import glob, io, os, pathlib, shutil
folder.translate(tree, "/opt/ml/model")
words = "/opt/ml/model/code/words.txt"
sys.path.append("/opt/ml/model/code")
import brought
def read(file):
    with file:
        return file.read()
shutil.copy(words, f"{staging}/copied")
os.mkdir("/opt/ml/model/made")
print(json.dumps({
    "open": read(open(words)),
    "open by name": read(open(file=words)),
    "io": read(io.open(words, "rb")).decode(),
    "pathlib": pathlib.Path(words).read_text(),
    "glob": glob.glob("/opt/ml/model/**/*.txt", recursive=True),
    "listed": sorted(os.listdir("/opt/ml/model")),
    "is_file": os.path.isfile(words),
    "import": brought.X,
    "copied": read(open(f"{staging}/copied")),
    "beside": os.path.exists("/opt/ml/models"),
    "descriptor": os.fstat(0) == os.stat(0),
}))
"""
MOUNTED = """
import os, sqlite3
print(json.dumps({
    "beside before": sorted(os.listdir("/opt")),
    "is_mounted": folder.place(tree, "/opt/ml/model", staging),
    "beside": sorted(os.listdir("/opt")),
    "sqlite": sqlite3.connect("/opt/ml/model/code/it.db").execute("select x from t").fetchall(),
    "capabilities": [l for l in open("/proc/self/status") if l.startswith("CapEff")][0].split()[1],
}))
"""


@pytest.fixture
def tree(tmp_path) -> Path:
    code = tmp_path / "tree" / "code"
    code.mkdir(parents=True)
    (tmp_path / "staging").mkdir()
    (code / "words.txt").write_text("hello")
    (code / "brought.py").write_text("X = 7")
    return tmp_path / "tree"


def run(program: str, tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LOAD + program, str(tree), str(tree.parent / "staging")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_script_reads_it_as_it_is_imported_and_later(with_code, start):
    script = f"WORDS = {READ}\n" + handler(f"return WORDS + {READ}, 'text/plain'")
    running = start(with_code({"inference.py": script, "words.txt": "hi"}))
    assert running.invoke(b"").body == b"hihi"


def test_a_container_of_many_models_has_it_at_models(with_code, start):
    script = handler("return open('/opt/ml/models/code/words.txt').read(), 'text/plain'")
    tree = with_code({"inference.py": script, "words.txt": "hi"})
    running = start(tree, environment={"SAGEMAKER_MULTI_MODEL": "true"})
    running.run(running.container.models.load("m", str(tree / "half_plus_three")))
    from cloudserve.local_server.container import Invocation

    assert running.run(running.container.invoke_model("m", Invocation(b""))).body == b"hi"


def test_pythons_own_functions_can_translate(tree):
    done = run(PYTHONS_OWN, tree)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "open": "hello",
        "open by name": "hello",
        "io": "hello",
        "pathlib": "hello",
        "glob": ["/opt/ml/model/code/words.txt"],
        "listed": ["code", "made"],
        "is_file": True,
        "import": 7,
        "copied": "hello",
        "beside": Path("/opt/ml/models").exists(),
        "descriptor": True,
    }
    assert (tree / "made").is_dir()


def test_a_c_library_finds_mounted_files(tree):
    import sqlite3

    with sqlite3.connect(tree / "code" / "it.db") as connection:
        connection.execute("create table t as select 5 as x")
    connection.close()
    beside = sorted(entry.name for entry in Path("/opt").iterdir())
    done = run(MOUNTED, tree)
    text = json.loads(done.stdout) if done.returncode == 0 else {}
    if not text:
        assert "sqlite3.OperationalError" in done.stderr
        pytest.skip("this system allows no private mount")
    assert text["sqlite"] == [[5]]
    assert text["beside before"] == beside
    assert set(text["beside"]) == {*beside, "ml"}
    assert sorted(entry.name for entry in Path("/opt").iterdir()) == beside
    if os.geteuid():
        assert int(text["capabilities"], 16) == 0


def test_a_place_that_cannot_be_made_is_translated(tree):
    done = run("print(folder.place(tree, '/no-such-root/model', staging))", tree)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
