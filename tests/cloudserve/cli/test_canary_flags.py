"""The options of `promote --canary` over the `canary:` of the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudserve.cli.canary import CanaryFlags
from cloudserve.cli.render.release.canary_rules import canary_document, canary_table
from cloudserve.errors import UserError
from cloudserve.project import load_project
from cloudserve.release.canary.rules import CanaryRules, Source

SECTION = """
models:
  fraud: {path: model}
targets:
  aws:
    provider: sagemaker
    canary:
      requests: "{model}.jsonl"
      steps: [1, {percent: 10, hold: 600}]
      hold: 60
      max_errors: 1
"""


@pytest.fixture
def options(tmp_path):
    """Return the canary of the model `fraud` with some options of the command line."""
    (tmp_path / "cloudserve.yaml").write_text(SECTION)
    (tmp_path / "fraud.jsonl").write_text('{"instances": [1]}\n')
    (tmp_path / "other.jsonl").write_text('{"instances": [2]}\n')
    project = load_project(tmp_path / "cloudserve.yaml", environ={})

    def read(requests: Path | None = None, **fields):
        flags = CanaryFlags(fields, requests and tmp_path / requests)
        return flags.options(project, project.target("aws"), "fraud")

    return read


def test_the_project_file_has_the_rules_and_the_requests(options):
    canary = options()
    assert canary.requests == (b'{"instances": [1]}',)
    assert canary.rules == CanaryRules(
        steps=(1, 10), holds={10: 600.0}, hold=60.0, more_errors=0.01
    )


def test_options_take_precedence(options):
    canary = options("other.jsonl", deadline=5000)
    assert canary.requests == (b'{"instances": [2]}',)
    assert (canary.rules.deadline, canary.rules.more_errors) == (5000, 0.01)


@pytest.mark.parametrize("fields", [{"steps": (10, 50)}, {"hold": 30}])
def test_options_on_steps_replace_their_least_times_in_the_file(options, fields):
    assert options(**fields).rules.holds == {}


def test_metrics_send_none_of_the_files_requests(options):
    canary = options(source=Source.METRICS)
    assert canary.requests == ()
    with pytest.raises(UserError, match="sends no requests"):
        options("other.jsonl", source=Source.METRICS)


@pytest.mark.parametrize("fields", [{}, {"more_wrong": 0.03}])
def test_a_file_of_the_project_that_does_not_exist_is_named(options, tmp_path, fields):
    (tmp_path / "fraud.jsonl").unlink()
    with pytest.raises(UserError, match="the requests cannot be read") as caught:
        options(**fields)
    assert caught.value.where == str(tmp_path / "fraud.jsonl")


def test_a_canary_without_requests_says_where_they_can_be_named(options, tmp_path):
    (tmp_path / "cloudserve.yaml").write_text(SECTION.partition("    canary:")[0])
    project = load_project(tmp_path / "cloudserve.yaml", environ={})
    with pytest.raises(UserError, match="needs requests") as caught:
        CanaryFlags({}, None).options(project, project.target("aws"), "fraud")
    assert "`requests` below `canary:`" in caught.value.hint


def test_a_plan_shows_the_steps_the_bounds_and_the_requests_that_are_needed(options):
    rules = options(max_shift=0.1).rules
    shown = dict(canary_table(rules).rows)
    assert (
        shown["steps"] == "1 % for 60 s at least, 10 % for 600 s at least, then all of the traffic"
    )
    assert shown["errors"] == "it fails for less than 1 % more of the requests"
    assert shown["predictions"] == "no class's share of the answers differs by 10 %"
    assert "each step needs about" in shown["requests"]
    assert canary_document(rules)["steps"] == [
        {"percent": 1, "hold": 60.0},
        {"percent": 10, "hold": 600.0},
    ]
