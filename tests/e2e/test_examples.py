"""The examples of pipelines, as plain functions, and the notebook's cells, on offline clouds."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cloudserve
from cloudserve.project import load_project

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "pipelines"
NOTEBOOK = EXAMPLES / "release.ipynb"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def exports(terminal, monkeypatch):
    """Stand in a project's folder, and give a base path with one version of its model."""
    base = Path(load_project(terminal.folder / "cloudserve.yaml").model(terminal.model).path)
    folder = terminal.folder / "exports"
    shutil.copytree(base / "1", folder / "1")
    monkeypatch.chdir(terminal.folder)
    for name, value in terminal.environment.items():
        monkeypatch.setenv(name, value)
    return folder


def change(version):
    (version / "assets").mkdir(exist_ok=True)
    (version / "assets" / "note.txt").write_text("new")
    return version


def test_a_training_pipeline_promotes_what_it_exported(terminal, exports, capsys):
    release = example("train_and_promote").release
    first = release(exports, terminal.model, "aws")
    change(Path(shutil.copytree(exports / "1", exports / "2")))
    second = release(exports, terminal.model, "aws")
    assert second.plan.previous == first.plan.revision.id
    assert second.deployment.traffic[second.plan.revision.id] == 1.0
    assert "upload" in capsys.readouterr().out


@pytest.mark.slow
def test_a_pusher_pushes_blessed_models_only(terminal, exports, tmp_path):
    pusher = example("pusher")
    model, blessing, pushed = tmp_path / "model", tmp_path / "blessing", tmp_path / "pushed"
    shutil.copytree(exports / "1", model / "Format-Serving")
    blessing.mkdir()
    options = {"name": terminal.model, "target": "aws", "blessing": blessing}
    assert pusher.push(model, pushed, **options) == pusher.Pushed("", changed=False)
    assert json.loads((pushed / "pushed.json").read_text())["revision"] == ""
    (blessing / "BLESSED").touch()
    done = pusher.push(model, pushed, **options)
    assert done.changed
    assert json.loads((pushed / "pushed.json").read_text())["revision"] == done.revision
    change(model / "Format-Serving")
    again = pusher.push(model, pushed, **options)
    assert again.changed
    live = cloudserve.status(load_project("cloudserve.yaml"), terminal.model, "aws").live
    assert live == again.revision


@pytest.mark.slow
def test_an_airflow_task_returns_what_xcom_can_keep(terminal, exports):
    task = example("airflow_task").release_model
    done = task(terminal.model, "aws")
    assert json.loads(json.dumps(done)) == done
    assert done["released"]
    assert done["traffic"] == {done["revision"]: 1.0}
    assert task(terminal.model, "aws", version="1")["revision"].startswith("v1-")


@pytest.mark.slow
def test_a_kubeflow_component_is_its_source_alone(terminal, exports):
    import inspect

    function = example("kubeflow_component").release_model
    alone = {}
    exec(inspect.getsource(function), alone)
    revision = alone["release_model"](str(exports), terminal.model, "aws", "cloudserve.yaml")
    project = load_project("cloudserve.yaml")
    assert cloudserve.status(project, terminal.model, "aws").live == revision


@pytest.mark.slow
def test_the_cells_of_the_notebook_run_from_top_to_bottom(terminal, exports):
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
    script = terminal.folder / "cells.py"
    script.write_text("\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"))
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "CLOUDSERVE_ACTOR": "ada"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
