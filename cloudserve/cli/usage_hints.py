"""Hints for command lines that cannot be parsed, beyond "read the help text"."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from cloudserve.cli.command_tree import COMMANDS


def usage_hint(error: click.UsageError, arguments: Sequence[str]) -> str:
    """Return what to write instead, or "" if the help text has to be read."""
    context, message = error.ctx, error.format_message()
    if context is None:
        return ""
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Option):
        return _missing(error.param, context)
    if message.startswith("No such command"):
        return _subcommands(context)
    if isinstance(error, click.NoSuchOption) and context.parent is None:
        return _behind_the_command(error.option_name, arguments)
    if "unexpected extra argument" in message:
        return _as_input(context.command, arguments)
    return ""


def _missing(option: click.Option, context: click.Context) -> str:
    flag = max(option.opts, key=len)
    return f"add {flag} {option.make_metavar(context)}; {context.command_path} --help"


def _subcommands(context: click.Context) -> str:
    """Return the commands of a group; those of `cloudserve` itself are too many."""
    if not isinstance(context.command, click.Group) or context.parent is None:
        return ""
    names = " or ".join(context.command.list_commands(context))
    return f"choose {names}; {context.command_path} --help"


def _behind_the_command(option: str, arguments: Sequence[str]) -> str:
    command = next((each for each in arguments if each in COMMANDS), "")
    if not command:
        return ""
    return f"write the options of a command behind it: cloudserve {command} {option} …"


def _as_input(command: click.Command, arguments: Sequence[str]) -> str:
    if not any("--input" in parameter.opts for parameter in command.params):
        return ""
    if any(each.lstrip().startswith(("{", "[")) for each in arguments):
        return "write the request into a file, and give that as an option: --input FILE"
    files = [each for each in arguments if _is_file(each)]
    return f"give the file as an option: --input {files[-1]}" if files else ""


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # too long for a name
        return False
