"""An empty path, which a shell makes of an unset variable, is not the current folder."""

from pathlib import Path

import click

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
