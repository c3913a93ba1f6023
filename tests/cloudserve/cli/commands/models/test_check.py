"""`cloudserve check`: the findings as a table, JSON and JUnit, and the exit codes."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from cloudserve.cli.command_tree import cli


@pytest.fixture
def counter(shared_models):
    return shared_models / "tfs_counter"


def run(*args):
    return CliRunner().invoke(cli, ["check", *map(str, args)])


def findings(*args):
    """Return the findings of the rule `target`."""
    findings = json.loads(run(*args, "-o", "json").stdout)["findings"]
    return [one for one in findings if one["rule"] == "target"]


def test_a_warning_is_shown_and_does_not_fail(counter):
    result = run(counter)
    assert result.exit_code == 0
    assert "1 warning by " in result.stdout
    assert "no-default-signature" in result.stdout


def test_strict_fails_for_a_warning(counter):
    result = run(counter, "--strict")
    assert str(result.exception).startswith("the check found 1 warning")


def test_the_ops_of_an_older_tensorflow(counter, shared_models):
    assert run(counter, "--tensorflow", "2.15").exit_code == 0
    (missing,) = findings(shared_models / "tfx_taxi_estimator", "--tensorflow", "2.0")
    assert missing["severity"] == "error"
    assert "no op `ParseExampleV2`" in missing["text"]
    (gone,) = findings(shared_models / "tfx_pusher", "--tensorflow", "2.9")
    assert "no kernel for the op `BoostedTreesBucketize`" in gone["text"]
    (unknown,) = findings(counter, "--tensorflow", "9.9")
    assert "is not checked" in unknown["text"]


@pytest.mark.parametrize("text", ["abc", "2", "2.", "v2.15"])
def test_a_text_that_is_not_a_version_is_refused(counter, text):
    result = run(counter, "--tensorflow", text)
    assert str(result.exception) == f"`{text}` is not a version"


def test_the_report_has_a_case_for_each_rule(counter, tmp_path):
    report = tmp_path / "check.xml"
    result = run(counter, "--report", report)
    assert f"wrote {report}" in result.stderr
    (suite,) = ET.parse(report).getroot()
    assert suite.get("failures") == "0"
    assert "rule no-default-signature" in [case.get("name") for case in suite]


def test_a_model_that_cannot_be_read_fails_with_its_reason(shared_models):
    result = run(shared_models / "cassava_tfhub")
    assert "variables.data-00000-of-00001 is missing" in result.stdout
    assert str(result.exception) == "the check found 1 error by 1 rule"


def test_a_target_of_the_project_is_asked(project):
    result = run("half", "--for", "here")
    assert (result.exit_code, result.stderr) == (0, "memory · offline http://127.0.0.1:8900\n")
    assert "33 rules" in result.stdout


def test_a_report_that_cannot_be_written_is_one_error(counter, tmp_path):
    (tmp_path / "notes.xml").write_text("mine")
    foreign = run(counter, "--report", tmp_path / "notes.xml")
    assert str(foreign.exception) == "notes.xml exists and is not a report"
    absent = run(counter, "--report", tmp_path / "absent" / "check.xml")
    assert "a report cannot be written: there is no folder" in str(absent.exception)
