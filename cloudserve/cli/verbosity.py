"""How much a command prints beside its result: `--quiet`, `--verbose`, `--debug`.

Progress is the logger `cloudserve.progress` at level INFO, as it is reported by threads too; the
calls to a cloud are the loggers below `cloudserve` at level DEBUG.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

import click

from cloudserve.cli.colours import toned, use_colours
from cloudserve.hints import without_controls

PROGRESS = logging.getLogger("cloudserve.progress")
PROGRESS.setLevel(logging.INFO)
PROGRESS.propagate = False
_LIBRARY = logging.getLogger("cloudserve")
_FOREIGN = "model-server"
"""The command whose flags are those of tensorflow_model_server."""


class _Lines(logging.Handler):
    """Prints records on stderr, below a command's progress."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record; a closed or full stderr does not stop a command."""
        try:
            print_line(without_controls(f"  {self.format(record)}"))
        except OSError:
            self.handleError(record)


def print_line(line: str) -> None:
    """Print a line on stderr, above what is drawn there."""
    # While something is drawn, sys.stderr is rich's, and click would write past it.
    file = sys.stderr if hasattr(sys.stderr, "rich_proxied_file") else None
    click.echo(toned(line), file, err=True, color=use_colours())


def is_progress_shown(line: str) -> bool:
    """Return whether to print a line of progress; `--quiet` leaves warnings."""
    return PROGRESS.isEnabledFor(logging.INFO) or line.startswith("warning:")


def take_log_level() -> int:
    """Return the level of a server's own log, whose handler prints the library's records alone."""
    level = logging.DEBUG if _LIBRARY.level == logging.DEBUG else PROGRESS.level
    _remove_lines()
    return level


def _remove_lines() -> None:
    for handler in [each for each in _LIBRARY.handlers if isinstance(each, _Lines)]:
        _LIBRARY.removeHandler(handler)
        _LIBRARY.setLevel(logging.NOTSET)


def is_on(value: str) -> bool:
    """Return whether a variable turns a flag on, as click reads it."""
    return value.strip().lower() in {"1", "true", "t", "yes", "y", "on"}


def reset() -> None:
    """Return to the usual verbosity, before a command of the same process."""
    PROGRESS.setLevel(logging.INFO)
    _remove_lines()


def _quiet(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        PROGRESS.setLevel(logging.WARNING)


def _verbose(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not any(isinstance(each, _Lines) for each in _LIBRARY.handlers):
        _LIBRARY.addHandler(_Lines())
        _LIBRARY.setLevel(logging.DEBUG)


def options(*, hidden: bool) -> list[click.Option]:
    """Return the options; those of the commands are hidden, as the group's help has them."""
    shared: dict[str, Any] = {"is_flag": True, "expose_value": False, "show_envvar": True}
    return [
        click.Option(
            ["--quiet", "-q"],
            callback=_quiet,
            envvar="CLOUDSERVE_QUIET",
            help="Print the result, warnings and errors only.",
            hidden=hidden,
            **shared,
        ),
        click.Option(
            ["--verbose", "-v"],
            callback=_verbose,
            envvar="CLOUDSERVE_VERBOSE",
            help="Also print each call to a cloud.",
            hidden=hidden,
            **shared,
        ),
        click.Option(
            ["--debug"],
            envvar="CLOUDSERVE_DEBUG",
            help="Show tracebacks.",
            hidden=hidden,
            **shared,
        ),
    ]


def add_options(command: click.Command, name: str) -> None:
    """Let a command and its subcommands take the options of the group after their name too."""
    if name == _FOREIGN:
        return
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    taken = {text for parameter in command.params for text in parameter.opts}
    new = [each for each in options(hidden=True) if not taken.intersection(each.opts)]
    command.params.extend(each for each in new if each.name not in _names(command))
    for subcommand in inner.values():
        add_options(subcommand, "")


def _names(command: click.Command) -> set[str | None]:
    return {parameter.name for parameter in command.params}
