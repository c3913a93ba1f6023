"""The canary of a target in cloudserve.yaml."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

import cloudserve
from cloudserve.errors import ProjectError
from cloudserve.project import load_project
from cloudserve.project.canary_settings import CanarySettings
from cloudserve.release.canary.rules import CanaryRules, Source

TEXT = "models:\n  m:\n    path: m\ntargets:\n  aws:\n    provider: sagemaker\n    canary:{}\n"
SCHEMA = json.loads(Path(cloudserve.__file__).with_name("project.schema.json").read_text())


@pytest.fixture
def load(tmp_path):
    """Return the canary of a target, and whether the schema accepts the file."""

    def read(text, **options):
        file = tmp_path / "cloudserve.yaml"
        file.write_text(TEXT.format(text) + options.pop("more", ""))
        schema = jsonschema.Draft202012Validator(SCHEMA)
        is_valid = schema.is_valid(yaml.safe_load(file.read_text()))
        target = load_project(file, environ={}, **options).target("aws")
        assert "canary" not in target.fields
        return target.canary, is_valid

    return read


def test_without_a_section_the_defaults_apply(load):
    assert load("") == (CanarySettings(), True)
    assert CanaryRules(**CanarySettings().rules) == CanaryRules()


def test_all_fields_are_read_in_their_units(load):
    canary, is_valid = load(
        "\n      requests: '{model}.jsonl'"
        "\n      steps: [1, {percent: 10, hold: 600}, 50, 100]"
        "\n      source: both"
        "\n      hold: 60"
        "\n      deadline: 7200"
        "\n      rate: 20"
        "\n      max_errors: 1"
        "\n      max_slow: 2.5"
        "\n      max_shift: 10"
        "\n      max_wrong: 3"
        "\n      slow_factor: 2"
    )
    assert is_valid
    assert canary.requests == "{model}.jsonl"
    assert CanaryRules(**canary.rules) == CanaryRules(
        steps=(1, 10, 50),
        holds={10: 600.0},
        source=Source.BOTH,
        hold=60.0,
        deadline=7200.0,
        rate=20.0,
        more_errors=0.01,
        more_slow=0.025,
        max_shift=0.1,
        more_wrong=0.03,
        slow_factor=2.0,
    )


def test_an_environment_changes_single_fields(load):
    more = "name: s\nenvironments:\n  prod:\n    targets:\n      aws: {canary: {hold: 600}}\n"
    canary, _ = load(" {hold: 60, rate: 5}", more=more, environment="prod")
    assert canary.rules == {"hold": 600.0, "rate": 5.0}


@pytest.mark.parametrize(
    ("text", "message", "where", "hint"),
    [
        (" yes please", "`canary` must be a mapping", "7: targets.aws.canary", "requests: …"),
        ("\n      step: [1]", "unknown key `step`", "8: targets.aws.canary.step", "steps"),
        ("\n      steps: 10", "`steps` must be a list", "8: targets.aws.canary.steps", "steps: ["),
        ("\n      steps: [a]", "must be a whole number", "8: targets.aws.canary.steps", "20"),
        ("\n      steps: [{hold: 9}]", "must be a whole number", "8: targets.aws.canary.steps", ""),
        ("\n      source: users", "`source` is one of", "8: targets.aws.canary.source", "probes"),
        ("\n      hold: -1", "`hold` must be a number", "8: targets.aws.canary.hold", "hold: 300"),
        ("\n      max_errors: 100", "from 0 to 99", "8: targets.aws.canary.max_errors", "5"),
        ("\n      max_slow: 0", "more than 0", "8: targets.aws.canary.max_slow", "max_slow: 5"),
        ("\n      requests: 7", "`requests` must be text", "8: targets.aws.canary.requests", ""),
    ],
)
def test_a_wrong_field_is_named_with_its_line_and_refused_by_the_schema(
    load, tmp_path, text, message, where, hint
):
    with pytest.raises(ProjectError) as caught:
        load(text)
    assert message in caught.value.message
    assert caught.value.where == f"{tmp_path / 'cloudserve.yaml'}:{where}"
    assert hint in caught.value.hint
    schema = jsonschema.Draft202012Validator(SCHEMA)
    assert not schema.is_valid(yaml.safe_load((tmp_path / "cloudserve.yaml").read_text()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n      steps: [50, 10]", "50, 10 are not steps of a canary"),
        ("\n      steps: [10, 50]\n      hold: 900", "take 1800 s at least, and its deadline is"),
        ("\n      source: metrics\n      max_shift: 5", "`max_shift` of a canary compares"),
        ("\n      source: metrics\n      requests: r.jsonl", "sends no requests"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(load, text, message):
    with pytest.raises(ProjectError, match=message) as caught:
        load(text)
    assert "targets.aws.canary" in caught.value.where
