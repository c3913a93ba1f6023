"""The gates of a target in cloudserve.yaml."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

import cloudserve
from cloudserve.errors import ProjectError
from cloudserve.project import load_project
from cloudserve.project.gate_settings import (
    ApprovalSettings,
    GateSettings,
    GoldenSettings,
    LatencySettings,
    ParitySettings,
    RequestSettings,
)

TEXT = "models:\n  m:\n    path: m\ntargets:\n  aws:\n    provider: sagemaker\n    gates:{}\n"
SCHEMA = json.loads(Path(cloudserve.__file__).with_name("project.schema.json").read_text())


@pytest.fixture
def read(tmp_path):
    """Return the gates of a target, and check that the schema agrees with the loader."""

    def read_gates(text):
        file = tmp_path / "cloudserve.yaml"
        file.write_text(TEXT.format(text))
        is_valid = jsonschema.Draft202012Validator(SCHEMA).is_valid(
            yaml.safe_load(file.read_text())
        )
        try:
            target = load_project(file, environ={}).target("aws")
        except ProjectError:
            assert not is_valid
            raise
        assert is_valid
        assert "gates" not in target.fields
        return target.gates

    return read_gates


def test_without_gates_the_contract_and_the_load_are_checked(read):
    assert read("") == GateSettings(contract=True, load=True)


def test_each_gate_can_be_turned_off(read):
    assert read(" {contract: false}") == GateSettings(contract=False)
    assert read("\n      load: false") == GateSettings(load=False)


def test_a_golden_file_has_tolerances_and_a_least_accuracy(read):
    text = "\n      golden: {file: g.jsonl, ulp: 4, relative: 1e-5, accuracy: 0.9}"
    expected = GoldenSettings("g.jsonl", {"relative": 1e-5, "ulp": 4.0}, 0.9)
    assert read(text).golden == expected
    assert read("\n      golden: false").golden is None


def test_an_approval_is_by_anybody_or_by_another_person(read):
    assert read(" {approval: true}").approval == ApprovalSettings()
    assert read(" {approval: {require_other: true}}").approval == ApprovalSettings(True)
    assert read(" {approval: false}").approval is None


def test_parity_has_requests_and_tolerances(read):
    assert read(" {parity: true}").parity == ParitySettings()
    text = " {parity: {requests: 5, seed: 3, ulp: 4}}"
    assert read(text).parity == ParitySettings(RequestSettings("", 5, 3), {"ulp": 4.0})
    text = " {parity: {file: g.jsonl, relative: 1e-5}}"
    assert read(text).parity == ParitySettings(RequestSettings("g.jsonl"), {"relative": 1e-5})
    assert read(" {parity: false}").parity is None


def test_latency_has_bounds_in_milliseconds_and_against_the_live_version(read):
    settings = read(" {latency: {p99: 80, times_live: {p50: 1.5}}}").latency
    assert settings == LatencySettings(milliseconds={"p99": 80.0}, times_live={"p50": 1.5})
    settings = read(" {latency: {p50: 5, requests: 6, file: g.jsonl, confidence: 0.9}}").latency
    assert settings == LatencySettings(
        RequestSettings("g.jsonl"), 6, {"p50": 5.0}, {}, confidence=0.9
    )


@pytest.mark.parametrize(
    ("bound", "requests", "fewest"), [("p99: 80", 367, 368), ("times_live: {p99: 2}", 436, 437)]
)
def test_too_few_requests_for_a_bound_are_refused_with_the_fewest(
    tmp_path, bound, requests, fewest
):
    file = tmp_path / "cloudserve.yaml"
    file.write_text(TEXT.format(f" {{latency: {{{bound}, requests: {requests}}}}}"))
    with pytest.raises(ProjectError) as caught:
        load_project(file, environ={})
    assert caught.value.message == f"`latency` needs more than {requests} requests for its bounds"
    assert caught.value.where == f"{file}:7: targets.aws.gates.latency.requests"
    assert caught.value.hint == f"requests: {fewest}, at least, with a confidence of 0.95"


@pytest.mark.parametrize(
    ("text", "message", "where", "hint"),
    [
        (
            " yes please",
            "`gates` must be a mapping, not `yes please`",
            "7: targets.aws.gates",
            "contract",
        ),
        (
            "\n      contrat: true",
            "unknown key `contrat`",
            "8: targets.aws.gates.contrat",
            "did you mean `contract`?",
        ),
        (
            "\n      golden: {accuracy: 0.9}",
            "`file` is missing",
            "8: targets.aws.gates.golden",
            "cloudserve golden record",
        ),
        (
            "\n      golden:\n        file: g\n        ulp: many",
            "`ulp` must be a number at least 0, not `many`",
            "10: targets.aws.gates.golden.ulp",
            "ulp: 1e-6",
        ),
        (
            "\n      golden:\n        file: g\n        accuracy: 92",
            "`accuracy` must be a number from 0 to 1, not `92`",
            "10: targets.aws.gates.golden.accuracy",
            "accuracy: 0.5",
        ),
        (
            "\n      load: maybe",
            "`load` must be true or false, not `maybe`",
            "8: targets.aws.gates.load",
            "load: true, or load: false",
        ),
        (
            "\n      approval:\n        require_othr: true",
            "unknown key `require_othr`",
            "9: targets.aws.gates.approval.require_othr",
            "did you mean `require_other`?",
        ),
        (
            "\n      approval: {require_other: 3}",
            "`require_other` must be true or false, not `3`",
            "8: targets.aws.gates.approval.require_other",
            "require_other: true",
        ),
        (
            "\n      latency: {confidence: 0.9}",
            "`latency` has no bound",
            "8: targets.aws.gates.latency",
            "p99: 80 (milliseconds), or times_live: {p50: 1.5}",
        ),
        (
            "\n      latency: true",
            "`latency` must be a mapping, not `True`",
            "8: targets.aws.gates.latency",
            "write lines like `p50: …` below it",
        ),
        (
            "\n      latency:\n        p99:",
            "`p99` must be a number at least 0, not `None`",
            "9: targets.aws.gates.latency.p99",
            "p99: 80",
        ),
        (
            "\n      latency: {p50: 9, confidence: 95}",
            "`confidence` must be a number between 0 and 1, not `95`",
            "8: targets.aws.gates.latency.confidence",
            "confidence: 0.95",
        ),
        (
            "\n      parity: {file: g.jsonl, requests: 3}",
            "`requests` is for generated requests, and `file` has others",
            "8: targets.aws.gates.parity.requests",
            "leave one of them out",
        ),
        (
            "\n      parity: {requests: 0}",
            "`requests` must be a whole number of at least 1, not `0`",
            "8: targets.aws.gates.parity.requests",
            "requests: 20",
        ),
    ],
)
def test_a_wrong_gate_is_named_with_its_line(read, tmp_path, text, message, where, hint):
    with pytest.raises(ProjectError) as caught:
        read(text)
    assert caught.value.message == message
    assert caught.value.where == f"{tmp_path / 'cloudserve.yaml'}:{where}"
    assert hint in caught.value.hint
