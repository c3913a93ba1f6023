"""Paths and names on the command line: `""` is what a shell makes of an unset variable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

_MAY_BE_EMPTY = frozenset({"--tags", "--tag_set", "--text", "--reason"})
"""Options for which an empty text means something, or is refused with an error of its own."""


class NamedPath(click.Path):
    """A path that has a name: as a `Path`, `""` would be the current folder."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; a usage error for an empty text."""
        if value == "":
            self.fail("the path is empty: write `.` for the current folder", param, ctx)
        return super().convert(value, param, ctx)


class NamedText(click.types.StringParamType):
    """A name that is not empty: without a model or a target, some commands take all of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text; a usage error for an empty one."""
        if value == "":
            self.fail("the text is empty: is a variable of the shell unset?", param, ctx)
        return super().convert(value, param, ctx)


def refuse_empty_names(command: click.Command) -> None:
    """Let a command and its subcommands refuse empty texts where a default is taken without one."""
    for parameter in command.params:
        is_text = parameter.type is click.STRING and parameter.nargs == 1
        if is_text and parameter.default != "" and not _MAY_BE_EMPTY & {*parameter.opts}:
            parameter.type = NamedText()
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    for subcommand in inner.values():
        refuse_empty_names(subcommand)
