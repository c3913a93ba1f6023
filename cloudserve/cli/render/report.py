"""Reports: the result of a command, as tables for people or a document for programs, on stdout."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from cloudserve.cli.colours import coloured, toned, use_colours
from cloudserve.cli.render.columns import row_lines, terminal_width
from cloudserve.cli.render.formats import FOR_PROGRAMS, encoded
from cloudserve.errors import UserError

GITHUB, JUNIT = "github", "junit"
_INDENT = "  "
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below column names, with an optional title line above."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    title: str = ""
    notes: Mapping[int, str] = field(default_factory=dict)
    """Texts, by the number of the row that they are shown below: they may be longer than a cell."""
    colours: Sequence[str] = ()
    """The colour of each row on a terminal; "" for none."""


@dataclass(frozen=True, slots=True)
class Report:
    """A result in two forms: `document` for programs, `tables` for people."""

    document: Any
    tables: tuple[Table, ...]


def output_like(default: str, *more: str) -> Callable[[Function], Function]:
    """Return the `--output` option with a default format, and with more formats."""
    formats = ["table", *FOR_PROGRAMS, GITHUB, *more]
    return click.option(
        "--output",
        "-o",
        type=click.Choice(formats),
        metavar="FORMAT",
        default=default,
        envvar="CLOUDSERVE_OUTPUT",
        show_envvar=True,
        help=f"The format of the result: {', '.join(formats)}.",
    )


output_option = output_like("table")
release_output_option = output_like("table", JUNIT)
"""For commands that check gates, whose verdicts are JUnit test cases."""


def print_report(report: Report, output: str) -> None:
    """Print a report on stdout."""
    if output == JUNIT:
        raise click.UsageError("`--output junit` is for a release: its gates are the test cases")
    if output in FOR_PROGRAMS:
        print_result(encoded(report.document, output))
    else:
        print_result("\n\n".join("\n".join(_lines(table)) for table in report.tables))
    if output == GITHUB:
        from cloudserve.cli.render.github import append_summary, markdown

        append_summary(markdown(report))


def print_written(document: Any, output: str) -> None:
    """Print a document about written files for programs; people have read it as progress."""
    if output in FOR_PROGRAMS:
        print_result(encoded(document, output))


def print_outcome(report: Report, output: str) -> None:
    """Print the report of a release; with `junit` its gates are printed instead."""
    if output != JUNIT:
        print_report(report, output)


def print_result(result: str | bytes) -> None:
    """Print a result on stdout; raises UserError if it cannot be written."""
    try:
        click.echo(result, color=use_colours())
    except BrokenPipeError:  # the reader of a pipe closed it (`| head`)
        raise
    except OSError as error:
        raise UserError(
            f"the result cannot be written: {error.strerror}",
            where="standard output",
            hint="the command itself is complete; `cloudserve status` shows the current state",
        ) from error


def _lines(table: Table) -> list[str]:
    if not table.rows and table.title:  # as it is: it may have commands to copy
        return list(map(toned, table.title.splitlines()))
    # A name may span lines; a row must not.
    cells = [tuple(c.replace("\n", " ") for c in row) for row in (table.columns, *table.rows)]
    head, *rows = row_lines(cells, terminal_width())
    lines = [*_titled(table), *head]
    for number, row in enumerate(rows):
        colour = table.colours[number] if number < len(table.colours) else ""
        lines += [coloured(line, colour) for line in row]
        lines += _wrapped(table.notes.get(number, ""))
    return [line.rstrip() for line in lines]


def _titled(table: Table) -> list[str]:
    """Return the lines of the title above a table, on a terminal as wide as this."""
    lines, width = table.title.splitlines(), terminal_width()
    if width is not None:
        lines = [part for line in lines for part in _filled(line, width) or [""]]
    return list(map(toned, lines))


def _wrapped(note: str) -> list[str]:
    """Return a platform's text, indented and as wide as the terminal."""
    width = max(40, shutil.get_terminal_size((100, 24)).columns) - len(_INDENT)
    return [f"{_INDENT}{line}" for line in _filled(note, width)]


def _filled(text: str, width: int) -> list[str]:
    """Return a text in lines, whose words are whole: URLs are copied."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
