"""Gates on the command line: overrides with a reason, reports, the history."""

from __future__ import annotations

import json

import pytest

from cloudserve.cli.errors import run


def on_target(command, *arguments):
    return run([command, "half", "--target", "here", *arguments])


@pytest.fixture
def breaking(project, base, shared_models):
    """Give a project whose version 2 breaks the clients of version 1, which is live."""
    models = project / "models"
    models.mkdir()
    (models / "1").symlink_to(base / "123")
    (models / "2").symlink_to(shared_models / "tfs_counter" / "123")
    text = (project / "cloudserve.yaml").read_text()
    (project / "cloudserve.yaml").write_text(text.replace(str(base), str(models)))
    assert on_target("deploy", "--version", "1") == 0
    return project


def test_a_refusal_says_which_gate_and_what_it_found(breaking, capsys):
    capsys.readouterr()
    assert on_target("deploy") == 6
    out, err = capsys.readouterr()
    assert out == ""
    error, where, hint, note = err.splitlines()[-4:]
    assert error.startswith("error: gate contract: v2-")
    assert "signature serving_default: is missing" in error or ", and " in error
    assert where == "  where: half on here"
    assert "`--override contract --reason TEXT`" in hint
    assert note == "  Nothing was changed: gates are checked before the first step."


def test_an_override_needs_a_reason_and_is_shown_by_the_history(breaking, capsys):
    assert on_target("deploy", "--override", "contract") == 2
    assert "--override needs --reason TEXT" in capsys.readouterr().err
    assert on_target("deploy", "--reason", "why") == 2
    assert on_target("deploy", "--override", "contrat", "--reason", "x") == 2
    assert "there is no gate `contrat` to override" in capsys.readouterr().err
    assert on_target("deploy") == 6
    assert on_target("deploy", "--override", "contract", "--reason", "clients are new") == 0
    capsys.readouterr()
    assert on_target("history") == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows[1].endswith("  refused by contract")
    assert rows[2].startswith("  v2-")
    assert rows[-1].endswith("  done, contract overridden")


@pytest.mark.parametrize("flags", [(), ("--allow-breaking",)])
def test_a_report_is_written_whatever_the_gates_decide(breaking, flags):
    assert on_target("deploy", "--report", "gates.md", *flags) == (0 if flags else 6)
    text = (breaking / "gates.md").read_text()
    ruling = "overridden" if flags else "refused"
    assert f"| contract | {ruling} | v2-" in text
    assert ("Overridden: --allow-breaking" in text) == bool(flags)


def test_the_verdicts_are_in_the_json_of_plan_outcome_and_history(breaking, capsys):
    capsys.readouterr()
    assert run(["plan", "deploy", "half", "-t", "here", "-o", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [gate["gate"] for gate in plan["gates"]] == ["contract", "load"]
    assert [verdict["ruling"] for verdict in plan["verdicts"]] == ["refused", "passed"]
    assert on_target("deploy", "--allow-breaking", "-o", "json") == 0
    outcome = json.loads(capsys.readouterr().out)
    assert [gate["ruling"] for gate in outcome["gates"]] == ["overridden", "passed"]
    assert on_target("history", "-o", "json") == 0
    release = json.loads(capsys.readouterr().out)[-1]
    assert release["verdicts"] == outcome["gates"]
