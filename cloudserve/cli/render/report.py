"""One Report a reading command: a table for people, JSON for programs, on stdout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import msgspec

from cloudserve.errors import UserError

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names; a title line above when there is one."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The same facts twice: `document` is what `--output json` prints."""

    document: Any
    tables: tuple[Table, ...]


def output_like(default: str) -> Callable[[Function], Function]:
    """Return the option of every reading command, with the form it prints by default."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(["table", "json"]),
        default=default,
        envvar="CLOUDSERVE_OUTPUT",
        show_envvar=True,
        show_default=True,
        help="How to print the result.",
    )


output_option = output_like("table")


def show(report: Report, output: str) -> None:
    """Print a report on stdout."""
    if output == "json":
        put(msgspec.json.format(msgspec.json.encode(report.document), indent=2))
    else:
        put("\n\n".join("\n".join(_lines(table)) for table in report.tables))


def put(result: str | bytes) -> None:
    """Print a result on stdout; raises UserError when it cannot be written."""
    try:
        click.echo(result)
    except BrokenPipeError:  # a reader who has seen enough (`| head`)
        raise
    except OSError as error:
        raise UserError(
            f"the result cannot be written: {error.strerror}",
            where="standard output",
            hint="what the command did is done; run `cloudserve status` for what is there now",
        ) from error


def _lines(table: Table) -> list[str]:
    if not table.rows and table.title:
        return [table.title]
    # A platform's reason may have lines of its own; a row is one.
    cells = [tuple(c.replace("\n", " ") for c in row) for row in (table.columns, *table.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return [line.rstrip() for line in ([table.title] if table.title else []) + lines]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 step`, `2 steps`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
