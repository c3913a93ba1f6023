"""An empty path, which a shell makes of an unset variable, is not the current folder."""

from pathlib import Path

import click
import pytest

from cloudserve.cli.errors import run
from cloudserve.cli.paths import NamedPath
from tests.cloudserve.cli.test_flag_variables import commands


def test_every_path_of_every_command_has_a_name():
    paths = [
        (path, param.name)
        for path, command in commands()
        for param in command.params
        if isinstance(param.type, click.Path) and not isinstance(param.type, NamedPath)
    ]
    assert paths == []


def test_an_empty_path_is_refused_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for arguments in (["init", ""], ["repair", "model", ""], ["inspect", "m", "--project", ""]):
        assert run(arguments) == 2
        assert "the path is empty: write `.` for the current folder" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_every_model_target_and_version_has_a_name():
    empty = [
        (path, param.name)
        for path, command in commands()
        for param in command.params
        if param.name in {"model", "target", "version", "subject", "source"}
        and param.type is click.STRING
    ]
    assert empty == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["gc", "", "-t", "here", "--keep", "1"],
        ["gc", "half", "-t", "", "--keep", "1"],
        ["deploy", "half", "-t", "here", "--env", ""],
        ["promote", "half", "-t", "here", "--version", ""],
        ["rollback", "half", "-t", "here", "--to", ""],
        ["diff", "", "models/half"],
        ["status", ""],
        ["check", "half", "--for", ""],
        ["golden", "record", "requests", "--out", "golden.jsonl", "--from", ""],
    ],
)
def test_an_empty_name_is_refused_and_nothing_else_is_taken(
    project, platform, monkeypatch, capsys, arguments
):
    monkeypatch.chdir(project)
    for version in ("123", "124"):
        assert run(["deploy", "half", "-t", "here", "--version", version]) == 0
    before = dict(platform.blobs.objects)
    capsys.readouterr()
    assert run(arguments) == 2
    assert "the text is empty: is a variable of the shell unset?" in capsys.readouterr().err
    assert dict(platform.blobs.objects) == before


def test_a_text_may_be_empty_where_it_is_one(capsys):
    assert run(["predict", "m", "-t", "t", "--text", "", "--project", "absent.yaml"]) == 2
    assert "is empty" not in capsys.readouterr().err
