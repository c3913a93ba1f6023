"""A change of a real account is confirmed; the offline clouds never ask."""

import io
import sys

import pytest

from cloudserve.cli.errors import run
from cloudserve.release.destination import Destination

REAL = Destination("aws", "", "account 123456789012", "us-east-1", "role Deployer")
LINE = "aws · account 123456789012 · us-east-1 · role Deployer"


class Terminal(io.StringIO):
    """A terminal as standard input or error."""

    def isatty(self):
        return True


@pytest.fixture
def real(project, platform):
    platform.place = REAL
    return platform


def on_target(command, *arguments):
    return run([command, "half", "--target", "here", *arguments])


def answer(monkeypatch, text):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdin", Terminal(text))
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


def test_a_real_account_is_not_changed_without_a_terminal(real, capsys):
    assert on_target("deploy") == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, error, where, hint = err.splitlines()
    assert first == LINE
    assert error.startswith(
        "error: this changes a real account and needs confirmation, but there is no terminal: "
        "deploy half v124-"
    )
    assert where == f"  where: {LINE}"
    assert hint == (
        "  to do: confirm with --yes (or CLOUDSERVE_YES=1), or rehearse it with "
        "`cloudserve emulate`"
    )
    assert real.performed == []
    assert real.blobs.objects == {}


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_a_flag_or_the_environment_confirms(real, monkeypatch, way):
    if way == "environment":
        monkeypatch.setenv("CLOUDSERVE_YES", "1")
    assert on_target("deploy", *(["--yes"] if way == "flag" else [])) == 0
    assert real.performed == ["create"]


def test_the_environment_can_refuse_to_confirm(real, monkeypatch):
    monkeypatch.setenv("CLOUDSERVE_YES", "0")
    assert on_target("deploy") == 2


def test_a_terminal_shows_the_steps_and_asks(real, monkeypatch):
    errors = answer(monkeypatch, "y\n")
    assert on_target("deploy", "--version", "123") == 0
    lines = errors.getvalue().splitlines()
    assert lines[0] == LINE
    assert lines[1].startswith("deploy half v123-")
    assert lines[2].startswith("  1. upload ")
    assert lines[3].startswith("  2. create v123-")
    assert lines[4].startswith(f"Do this on {LINE}? [y/N]:")
    assert real.performed == ["create"]


@pytest.mark.parametrize("text", ["n\n", "\n"])
def test_nothing_is_changed_without_confirmation(real, monkeypatch, text):
    errors = answer(monkeypatch, text)
    assert on_target("deploy") == 2
    assert "error: not confirmed: nothing was changed" in errors.getvalue()
    assert real.blobs.objects == {}


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_every_change_of_traffic_needs_confirmation(real, capsys, command):
    for arguments in (["--version", "123"], []):
        assert on_target("deploy", "--yes", *arguments) == 0
    if command == "rollback":
        assert on_target("promote", "--yes") == 0
    before = dict(real.traffic)
    assert on_target(command) == 2
    assert real.traffic == before
    assert on_target(command, "--yes") == 0
    assert real.traffic != before


def test_reading_and_planning_need_no_confirmation(real, capsys):
    on_target("deploy", "--yes")
    for command in ("status", "history"):
        assert on_target(command) == 0
    assert run(["plan", "deploy", "half", "-t", "here", "--out", "plan.json"]) == 0
    assert on_target("deploy", "--dry-run") == 0
    assert capsys.readouterr().err.count(LINE) == 5


def test_a_plan_is_applied_on_a_real_account_when_it_is_confirmed(real, capsys):
    run(["plan", "deploy", "half", "-t", "here", "--out", "plan.json"])
    assert run(["apply", "plan.json"]) == 2
    assert real.performed == []
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert real.performed == ["create"]


def test_a_release_with_nothing_to_do_needs_no_confirmation(real):
    on_target("deploy", "--yes")
    assert on_target("deploy") == 0
