"""Every flag of every command can be set by a variable."""

from collections import Counter

import click
import pytest

from cloudserve.cli.command_tree import COMMANDS, cli
from cloudserve.cli.errors import run
from cloudserve.cli.flag_variables import variable_of

SHARED = {
    *("CLOUDSERVE_PROJECT", "CLOUDSERVE_ENV", "CLOUDSERVE_TARGET", "CLOUDSERVE_OUTPUT"),
    *("CLOUDSERVE_YES", "CLOUDSERVE_EMULATE_DATA"),
    *("CLOUDSERVE_QUIET", "CLOUDSERVE_VERBOSE", "CLOUDSERVE_DEBUG"),
}
"""Variables that several commands read."""


def commands():
    context = click.Context(cli, info_name="cloudserve")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        yield name, command
        yield from (
            (f"{name} {verb}", each) for verb, each in getattr(command, "commands", {}).items()
        )


def flags():
    return [
        (path, option)
        for path, command in commands()
        for option in command.params
        if isinstance(option, click.Option)
    ]


def test_every_flag_is_read_from_its_variable(monkeypatch):
    for path, option in flags():
        assert option.envvar, f"{path} {option.opts}"
        with monkeypatch.context() as patch:
            patch.setenv(option.envvar, "given")
            assert option.resolve_envvar_value(click.Context(cli)) == "given"


def test_no_two_flags_share_a_variable_by_accident():
    used = Counter(option.envvar for _, option in flags())
    assert {name for name, count in used.items() if count > 1} <= SHARED


def test_a_variable_that_the_help_does_not_name_is_command_and_flag():
    hidden = [(path, option) for path, option in flags() if not option.show_envvar]
    assert all(option.envvar == variable_of(path, option) for path, option in hidden)
    assert {"CLOUDSERVE_DEPLOY_VERSION", "CLOUDSERVE_GOLDEN_TRIM_MOST"} <= {
        option.envvar for _, option in hidden
    }


def test_a_flag_on_the_command_line_has_precedence(project, monkeypatch, capsys):
    monkeypatch.setenv("CLOUDSERVE_DEPLOY_VERSION", "124")
    monkeypatch.setenv("CLOUDSERVE_DEPLOY_DRY_RUN", "1")
    assert run(["deploy", "half", "-t", "here"]) == 0
    assert "deploy half v124-" in capsys.readouterr().out
    assert run(["deploy", "half", "-t", "here", "--version", "123"]) == 0
    assert "deploy half v123-" in capsys.readouterr().out


def test_a_variable_is_checked_as_its_flag(project, monkeypatch, capsys):
    monkeypatch.setenv("CLOUDSERVE_DEPLOY_VERSION", "newest")
    assert run(["deploy", "half", "-t", "here"]) == 2
    assert "'newest' is not a valid number" in capsys.readouterr().err


def test_a_flag_that_can_be_repeated_takes_one_value_per_line(project, monkeypatch, capsys):
    monkeypatch.setenv("CLOUDSERVE_PLAN_SET", "colour=dark blue\nbroken line\n")
    assert run(["plan", "deploy", "half", "-t", "here"]) == 2
    assert "`broken line` is not FIELD=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["1", "true"])
def test_the_exit_code_of_terraform_can_be_asked_for(project, monkeypatch, value):
    monkeypatch.setenv("CLOUDSERVE_PLAN_DETAILED_EXITCODE", value)
    assert run(["plan", "deploy", "half", "-t", "here"]) == 2
    assert run(["plan", "deploy", "half", "-t", "hare"]) == 1


def test_a_flag_is_turned_off_by_its_variable(project, monkeypatch):
    monkeypatch.setenv("CLOUDSERVE_PLAN_DETAILED_EXITCODE", "0")
    assert run(["plan", "deploy", "half", "-t", "here"]) == 0
    assert run(["plan", "deploy", "half", "-t", "hare"]) == 2
