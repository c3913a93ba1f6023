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
        (("replay", "g.jsonl", "--against", "./nothing"), "there is no directory `./nothing`"),
        (("golden", "record", "g.jsonl", "--from", "x", "--out", "o"), ""),
    ],
)
def test_wrong_input_is_a_usage_error(recorded, capsys, arguments, message):
    assert run([*arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_request_with_invalid_text_is_refused_by_the_model(recorded, shared_models, capsys):
    (recorded / "odd.jsonl").write_text('{"instances": ["\\ud800"]}\n')
    model = str(shared_models / "tfs_half_plus_two_cpu")
    assert run(["golden", "record", "odd.jsonl", "--from", model, "--out", "o.jsonl"]) == 2
    assert "The surrogate pair in string is invalid" in capsys.readouterr().err
    assert not (recorded / "o.jsonl").exists()


RECORDED = """\
{"golden":1,"model":"half","source":"a server"}
{"request":{"instances":[1.0]},"answer":{"predictions":[2.5]},"version":1,"label":"stable"}
{"request":{"instances":["x"]},"error":{"status":400,"code":"INVALID_ARGUMENT"},"version":1}
{"request":{"instances":[2.0]},"version":2,"redacted":{"x":"round:0"}}
{"request":{"inst"""


def test_a_recorded_golden_file_is_shown_replayed_and_recorded_again(
    recorded, shared_models, capsys
):
    (recorded / "r.jsonl").write_text(RECORDED)
    assert run(["golden", "show", "r.jsonl"]) == 0
    facts, _, rows = capsys.readouterr().out.partition("\n\n")
    assert "examples     3, 0 labels, 1 without an answer; a last line that was cut short" in facts
    assert "answered by  version 1, version 2, label stable" in facts
    assert [line.split(None, 2)[2] for line in rows.splitlines()[1:]] == [
        '{"predictions":[2.5]}',
        "HTTP 400 INVALID_ARGUMENT",
        "none: round:0 x",
    ]
    model = str(shared_models / "tfs_half_plus_two_cpu")
    assert run(["replay", "r.jsonl", "--against", model]) == 0
    title = capsys.readouterr().out.splitlines()[0]
    assert title.endswith(": 3 requests, 0 with another answer, 1 without a recorded one")
    assert run(["golden", "record", "r.jsonl", "--from", model, "--out", "all.jsonl"]) == 0
    assert run(["golden", "show", "all.jsonl", "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["examples"], shown["unchecked"], shown["is_cut"]) == (2, 0, False)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--record-rate", "0.5"), "--record-rate requires --record"),
        (("--redact", "drop:x"), "--redact requires --record"),
        (("--record", "r", "--redact", "forget:x"), "is not a rule of redaction"),
        (("--record", "requests.jsonl"), "the line is not part of a golden file"),
        (("--record", "none/r.jsonl"), "requests cannot be recorded: No such file"),
    ],
)
def test_a_server_refuses_a_recording_that_makes_no_sense(
    recorded, shared_models, capsys, options, problem
):
    model = str(shared_models / "tfs_half_plus_two_cpu")
    assert run(["serve", model, "--port", "0", "--no-grpc", *options]) == 2
    assert problem in capsys.readouterr().err
    assert (recorded / "requests.jsonl").read_text().startswith('{"instances"')
