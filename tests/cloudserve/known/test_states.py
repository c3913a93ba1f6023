"""The files of last known states."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudserve.known import states
from cloudserve.known.states import KnownState, KnownStates

NOW = datetime(2026, 11, 30, 12, 1, tzinfo=UTC)
REAL = {"cloud": "aws", "account": "account 1", "region": "us-east-1", "is_offline": ""}


@pytest.fixture
def known(tmp_path):
    return KnownStates.of_project(tmp_path / "cloudserve.yaml", {"XDG_STATE_HOME": str(tmp_path)})


def state(answers=None, place=REAL, **more):
    fields = {"model": "half", "target": "aws", "environment": ""} | more
    return KnownState(**fields, place=place, since=NOW, answers=answers or {})


def test_answers_come_back_as_they_were(known):
    answers = {
        "list": [{"a": NOW, "b": 1.5}],
        "read": [b"\x00", "token"],
        "none": None,
        "no": False,
    }
    known.save(state(answers))
    (loaded,) = known.load("half", "aws", "")
    assert loaded.answers == answers
    assert loaded.since == NOW


def test_states_of_accounts_environments_models_and_targets_stay_apart(known):
    known.save(state({"q": 1}))
    known.save(state({"q": 2}, {**REAL, "account": "account 2"}))
    known.save(state({"q": 3}, environment="prod"))
    known.save(state({"q": 4}, model="half.other"))
    known.save(state({"q": 5}, target="eu"))
    known.save(state({"q": 6}, {**REAL, "principal": "role Another"}))  # replaces the first
    known.save(state({"q": 7}, {**REAL, "credentials": "profile prod"}))
    assert sorted(each.answers["q"] for each in known.load("half", "aws", "")) == [2, 6, 7]
    assert [each.answers["q"] for each in known.load("half", "aws", "prod")] == [3]
    assert [each.answers["q"] for each in known.load("half.other", "aws", "")] == [4]


def test_a_damaged_file_or_one_of_another_version_is_ignored(known, tmp_path, monkeypatch):
    known.save(state({"q": 1}))
    (path,) = tmp_path.rglob("*.state")
    whole = path.read_bytes()
    for damaged in (b"", whole[:-3], b"\xc1", b"{}"):
        path.write_bytes(damaged)
        assert list(known.load("half", "aws", "")) == []
    path.write_bytes(whole)
    for name, other in (("SCHEMA", 2), ("TOOL", "cloudserve 9.0.0")):
        with monkeypatch.context() as changed:
            changed.setattr(states, name, other)
            assert list(known.load("half", "aws", "")) == []
    assert list(known.load("half", "aws", ""))


def test_a_writer_that_is_killed_leaves_the_old_state_and_its_draft_is_removed_later(
    known, tmp_path, monkeypatch
):
    known.save(state({"q": 1}))
    (path,) = tmp_path.rglob("*.state")

    class Killed(BaseException):
        """What a SIGKILL is for this test: nothing is cleaned up after it."""

    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", kill)
        patch.setattr(Path, "unlink", kill)
        with pytest.raises(Killed):
            known.save(state({"q": 2}))
    drafts = [each for each in path.parent.iterdir() if each != path]
    assert len(drafts) == 1
    assert [each.answers["q"] for each in known.load("half", "aws", "")] == [1]
    known.save(state({"q": 3}))
    assert drafts[0].exists()  # its writer may still be there
    os.utime(drafts[0], (0, 0))
    known.save(state({"q": 4}))
    assert list(path.parent.iterdir()) == [path]


def test_an_object_that_is_too_large_is_not_kept(known, monkeypatch):
    monkeypatch.setattr(states, "LARGEST", 2)
    known.save(state({"large": [b"123", "t"], "small": [b"12", "t"]}))
    (loaded,) = known.load("half", "aws", "")
    assert set(loaded.answers) == {"small"}


def test_without_a_home_there_are_no_states(tmp_path):
    assert KnownStates.of_project(tmp_path / "cloudserve.yaml", {}) is None
