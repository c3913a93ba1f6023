"""The public API and its reference page."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cloudserve

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

PROGRAM = """\
import cloudserve
from cloudserve.errors import RemoteError


def release(target: str) -> str | None:
    project: cloudserve.Project = cloudserve.load_project("cloudserve.yaml")
    plan: cloudserve.Plan = cloudserve.plan(project, "m", target, "deploy", version=1)
    cloudserve.write_plan(plan, "plan.json", "ada")
    outcome: cloudserve.Outcome = cloudserve.apply(project, cloudserve.read_plan("plan.json"))
    outcome = cloudserve.deploy(project, "m", target, version=1)
    cloudserve.promote(project, "m", target, version="1", notify=lambda line: None)
    cloudserve.rollback(project, "m", target, to="v1", environ={"A": "b"})
    state: cloudserve.Deployment = cloudserve.status(project, "m", target)
    releases: tuple[cloudserve.Release, ...] = cloudserve.history(project, "m", target, limit=5)
    job: cloudserve.BatchResult = cloudserve.run_batch(project, "m", target, ("in.jsonl",))
    model: cloudserve.SavedModel = cloudserve.inspect("models/m/1")
    try:
        answer = cloudserve.Client(project, "m", target).predict([[0.0]])
        print(answer.array[0], answer.version, job.failed, model.signatures)
        print(state.live, releases[0].who)
        print(cloudserve.__version__)
    except RemoteError as error:
        print(error.hint, error.status)
    except cloudserve.CloudserveError as error:
        print(error.where)
    return outcome.deployment.live
"""


def test_every_public_name_can_be_imported():
    for name in cloudserve.__all__:
        assert getattr(cloudserve, name) is not None
    assert sorted(cloudserve.__all__) == sorted(dir(cloudserve))


def test_no_module_hides_a_public_name():
    """Importing `cloudserve.x` sets the attribute `x` of the package."""
    package = Path(cloudserve.__file__).parent
    modules = {path.stem for path in package.iterdir()} - {"__init__"}
    assert not modules & set(cloudserve.__all__)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'deplot'"):
        _ = cloudserve.deplot


def test_importing_the_package_imports_nothing_heavy():
    code = (
        # Modules that are loaded at the start come from a `.pth` file of an installed package.
        "import sys; before = set(sys.modules); import cloudserve;"
        "print({'yaml', 'msgspec', 'google', 'click'} & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_reference_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("write_api", DOCS / "write_python_api.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    page = (DOCS / "reference" / "python-api.md").read_text()
    if page != writer.render():
        pytest.fail("docs/reference/python-api.md is not what the code says: run `make docs`")


def test_a_program_type_checks_strictly(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", script],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_public_name_is_that_of_a_module():
    """An imported module would take the name's place in the package."""
    modules = {path.stem for path in Path(cloudserve.__file__).parent.iterdir()}
    assert modules.isdisjoint(cloudserve.__all__)
