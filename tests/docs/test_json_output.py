"""The page on JSON output: what it shows is what the commands print, field by field."""

import json
import re
from pathlib import Path

import pytest

from cloudserve.cli.errors import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json-output.md"
SECTION = re.compile(r"^## (.+?)\n\n```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROJECT = "models:\n  half:\n    path: {path}\ntargets:\n  here:\n    provider: memory\n"
OWN = {"args", "deployment"}
"""Fields whose content another section or an adapter tells."""


def shape(value):
    """Return the fields of a document, and of what is in it, without their values."""
    if isinstance(value, dict):
        return {name: None if name in OWN else shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        shapes = [shape(inner) for inner in value if isinstance(inner, dict)]
        return shapes[:1]
    return None


def shown():
    found = {}
    for title, text in SECTION.findall(PAGE.read_text()):
        for command in title.replace(", and --dry-run", "").split(", "):
            found[command] = shape(json.loads(text))
    return found


@pytest.fixture
def printed(tmp_path, monkeypatch, base, releases, capsys):
    """Give what prints a command's JSON, in a project whose platform is in memory."""
    (tmp_path / "cloudserve.yaml").write_text(PROJECT.format(path=base))
    monkeypatch.chdir(tmp_path)

    def run_json(*arguments):
        capsys.readouterr()
        assert run([*arguments, "--output", "json"]) == 0
        return shape(json.loads(capsys.readouterr().out))

    return run_json


def test_every_field_that_is_printed_is_on_the_page_and_the_other_way_round(printed):
    there = ("half", "--target", "here")
    told = {
        "inspect": printed("inspect", "half"),
        "plan": printed("plan", "deploy", *there, "--version", "123", "--out", "plan.json"),
        "apply": printed("apply", "plan.json"),
        "deploy": printed("deploy", *there),
        "promote": printed("promote", *there),
        "rollback": printed("rollback", *there),
        "status": printed("status", *there),
        "history": printed("history", *there),
        "undeploy": printed("undeploy", *there),
        "pull": printed("pull", *there, "--into", "back"),
    }
    assert told == shown()


def test_a_dry_run_prints_what_a_plan_prints(printed):
    assert printed("deploy", "half", "-t", "here", "--dry-run") == shown()["plan"]
