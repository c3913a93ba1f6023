"""What all flags have: a variable of the environment, and a default in the help if there is one.

A flag whose help text names a variable has that one. Any other has CLOUDSERVE_COMMAND_FLAG, such as
CLOUDSERVE_DEPLOY_VERSION for `cloudserve deploy --version`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click


class Line(click.types.StringParamType):
    """Text of a flag that can be repeated: in its variable, one value per line."""

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Return the lines that are not empty."""
        return [line for line in rv.splitlines() if line.strip()]


LINE = Line()


def add_variables(command: click.Command, path: str) -> None:
    """Give every flag of a command and its subcommands a variable; `path` is the command's name."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.envvar:
            parameter.envvar = variable_of(path, parameter)
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    for name, subcommand in inner.items():
        add_variables(subcommand, f"{path} {name}")


def hide_empty_defaults(command: click.Command) -> None:
    """Leave defaults that are no text out of the help of a command and its subcommands."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.default == "":
            parameter.show_default = False
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    for subcommand in inner.values():
        hide_empty_defaults(subcommand)


def variable_of(path: str, option: click.Option) -> str:
    """Return the variable of a flag that names none: that of its longest name."""
    flag = max(option.opts, key=len).lstrip("-")
    return "CLOUDSERVE_" + re.sub(r"[^A-Z0-9]", "_", f"{path} {flag}".upper())
