"""A worse version is refused by a gate on each platform, with the real SDKs; no traffic moves."""

from __future__ import annotations

import json

import pytest

VERTEX = """\
  vertex:
    provider: vertex
    project: rehearsal
    bucket: gs://{bucket}
"""
GATES = "    gates: {contract: false, golden: {file: golden.jsonl}}\n"


HEADER = '{"golden": 1}'
EXAMPLE = '{"request": {"instances": [1.0, 5.0]}, "answer": {"predictions": [2.5, 4.5]}}'


@pytest.fixture
def gated(terminal):
    """Give a terminal with a target on Vertex AI too, and a function that adds gates to all."""
    file = terminal.folder / "cloudserve.yaml"
    text = file.read_text() + VERTEX.format(bucket=f"{terminal.model}-models")
    file.write_text(text)
    (terminal.folder / "golden.jsonl").write_text(f"{HEADER}\n{EXAMPLE}\n")

    def add_gates():
        lines = text.splitlines(keepends=True)
        gates = (line + GATES if line.startswith("    provider:") else line for line in lines)
        file.write_text("".join(gates))

    return terminal, add_gates


@pytest.mark.parametrize(
    ("target", "asked"), [("aws", "deployed"), ("gcp", "deployed"), ("vertex", "local")]
)
def test_a_version_with_wrong_answers_gets_no_traffic(gated, target, asked):
    terminal, add_gates = gated
    subject = (terminal.model, "-t", target)
    terminal.ok("deploy", *subject, "--version", "1")
    terminal.ok("deploy", *subject, "--allow-breaking")
    add_gates()
    code, out, err = terminal.run("promote", *subject, "--report", "gates.md")
    assert (code, out) == (6, "")
    assert "error: gate golden: 1 of 1 request has another answer: " in err
    assert "predictions[0]: 3.5 instead of 2.5" in err
    assert "| golden | refused | " in (terminal.folder / "gates.md").read_text()
    answer = terminal.ok("predict", *subject, given='{"instances": [1.0, 5.0]}')
    assert json.loads(answer)["predictions"] == [2.5, 4.5]
    history = json.loads(terminal.ok("history", *subject, "-o", "json"))
    assert [release["outcome"] for release in history] == ["finished", "finished", "refused"]
    (golden,) = history[-1]["verdicts"]
    assert golden["figures"]["asked"] == asked
    assert golden["figures"]["outputs"][0]["absolute"] == 1.0
    terminal.ok("promote", *subject, "--override", "golden", "--reason", "clients expect it")
    answer = terminal.ok("predict", *subject, given='{"instances": [1.0, 5.0]}')
    assert json.loads(answer)["predictions"] == [3.5, 5.5]
