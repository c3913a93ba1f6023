"""`--output github` and `--output junit`: what GitHub and other CI systems show of a command."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.cli.errors import run
from cloudserve.cli.render.github import annotation, markdown
from cloudserve.cli.render.report import Report, Table


@pytest.fixture
def summary(project, monkeypatch):
    file = project / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    return file


def on_target(command, *arguments):
    return run([*command.split(), "half", "-t", "here", *arguments])


def test_a_plan_is_in_the_log_and_in_the_summary(summary, capsys):
    assert on_target("plan deploy", "-o", "github") == 0
    out = capsys.readouterr().out
    assert on_target("plan deploy") == 0
    assert out == capsys.readouterr().out
    text = summary.read_text()
    assert text.startswith("**deploy half v124-")
    assert re.search(
        r"^\| STEP \|  \| WHAT IT DOES \|\n\|---\|---\|---\|\n\| 1 \| \+ \| ", text, re.MULTILINE
    )
    assert "| GATE | WHAT IT CHECKS FIRST | VERDICT |" in text


def test_a_release_appends_its_gates_and_its_result(summary):
    summary.write_text("# Earlier\n\n")
    assert on_target("deploy", "-o", "github", "--allow-breaking") == 0
    text = summary.read_text()
    assert text.startswith("# Earlier\n\n")
    assert text.index("| gate | ruling | finding |") > text.index("| REVISION | STATE |")
    assert text.count("| gate | ruling | finding |") == 1


def test_an_error_annotates_the_line_of_the_project_file(project, summary, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    file = project / "cloudserve.yaml"
    file.write_text(file.read_text().replace("provider: memory", "provider: memory\n    gates: 7"))
    line = file.read_text().splitlines().index("    gates: 7") + 1
    assert run(["plan", "deploy", "half", "-t", "here", "--output=github"]) == 2
    *_, last = capsys.readouterr().err.splitlines()
    place = f"file={project.name}/cloudserve.yaml,line={line}"
    assert last.startswith(f"::error {place},title=cloudserve plan::")
    assert "%0A" in last  # the hint, on a line of its own


def test_an_error_without_a_file_annotates_the_step(project, capsys, monkeypatch):
    monkeypatch.setenv("CLOUDSERVE_OUTPUT", "github")
    assert run(["deploy", "half", "-t", "hare"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("::error title=cloudserve deploy::the project has no target `hare`%0A")


def test_outside_of_github_there_is_no_summary(project, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert on_target("plan deploy", "-o", "github") == 0


def test_a_summary_that_cannot_be_written_is_an_error(project, monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "none" / "summary"))
    assert on_target("plan deploy", "-o", "github") == 2
    assert "the step's summary cannot be written: No such file" in capsys.readouterr().err


def test_junit_is_the_gates_of_a_release(project, capsys):
    assert on_target("deploy", "-o", "junit", "--version", "123") == 0
    capsys.readouterr()
    assert on_target("deploy", "-o", "junit") == 0
    suite = ET.fromstring(capsys.readouterr().out)
    assert "gate contract" in [case.get("name") for case in suite.iter("testcase")]


def test_junit_is_no_format_of_a_plan(project, capsys):
    assert on_target("deploy", "--dry-run", "-o", "junit") == 2
    assert "`--output junit` is for a release" in capsys.readouterr().err
    assert on_target("plan deploy", "-o", "junit") == 2


@given(st.text(), st.text(), st.text())
def test_an_annotation_is_one_command_on_one_line(title, message, where):
    line = annotation("error", title, message, where)
    assert not set(line) & {"\r", "\n"}
    fields, _, data = line.removeprefix("::error ").partition("::")
    assert fields.startswith("title=")
    assert not set(fields) & {":", ","}
    for code, text in (("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        data = data.replace(code, text)
    assert data == message


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_a_cell_stays_in_its_cell(rows):
    text = markdown(Report({}, (Table(("A", "B"), rows),)))
    _, rule, *lines = text.removesuffix("\n").split("\n")
    assert rule == "|---|---|"
    assert len(lines) == len(rows)
    assert all(len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3 for line in lines)


def test_no_log_has_a_colour_even_if_one_is_forced(project):
    done = subprocess.run(
        [sys.executable, "-m", "cloudserve", "inspect", "half", "-o", "github"],
        env=os.environ | {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "PY_COLORS": "1"},
        capture_output=True,
        check=False,
    )
    assert b"\x1b" not in done.stdout + done.stderr
    assert done.stdout
