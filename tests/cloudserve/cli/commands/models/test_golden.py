"""`cloudserve golden` and `cloudserve replay`, with real models."""

from __future__ import annotations

import json

import pytest

from cloudserve.cli.errors import run


@pytest.fixture
def recorded(tmp_path, monkeypatch, shared_models, capsys):
    """Stand in a folder with a golden file of a model that answers x/2 + 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requests.jsonl").write_text('{"instances": [1.0]}\n{"instances": [5.0]}\n')
    model = str(shared_models / "tfs_half_plus_two_cpu")
    assert run(["golden", "record", "requests.jsonl", "--from", model, "--out", "g.jsonl"]) == 0
    assert capsys.readouterr().err == "wrote g.jsonl: 2 requests with answers\n"
    return tmp_path


def test_a_file_is_shown_replayed_and_trimmed(recorded, shared_models, capsys):
    assert run(["golden", "show", "g.jsonl", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 2
    three = str(shared_models / "tfs_half_plus_three" / "123")
    assert run(["replay", "g.jsonl", "--against", three]) == 6
    title, columns, row = capsys.readouterr().out.splitlines()
    assert title.endswith(": 2 requests, 2 with another answer")
    assert columns.split()[:6] == ["OUTPUT", "VALUES", "OUTSIDE", "ABSOLUTE", "RELATIVE", "ULP"]
    assert row.endswith("request 1, predictions[0]: 3.5 instead of 2.5")
    assert run(["golden", "trim", "g.jsonl", "--most", "1"]) == 0
    assert capsys.readouterr().err == "wrote g.jsonl: 1 of 2 examples\n"
    two = str(shared_models / "tfs_half_plus_two_2v" / "124")
    assert run(["replay", "g.jsonl", "--against", two, "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["requests"], document["differing"]) == (1, 0)
    assert document["outputs"][0]["ulp"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("golden", "show", "missing.jsonl"), "the golden file cannot be read"),
        (("golden", "show", "requests.jsonl"), "the line is not part of a golden file"),
        (("replay", "g.jsonl", "--against", "nothing"), "the project file cannot be read"),
        (("golden", "record", "g.jsonl", "--from", "x", "--out", "o"), ""),
    ],
)
def test_wrong_input_is_a_usage_error(recorded, capsys, arguments, message):
    assert run([*arguments]) == 2
    assert message in capsys.readouterr().err
