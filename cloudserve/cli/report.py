"""One Report a reading command: a table for people, JSON for programs, on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import msgspec


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


output_option = click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    envvar="CLOUDSERVE_OUTPUT",
    show_envvar=True,
    help="How to print the result.",
)


def show(report: Report, output: str) -> None:
    """Print a report on stdout."""
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report.document), indent=2).decode())
        return
    click.echo("\n\n".join("\n".join(_lines(table)) for table in report.tables))


def _lines(table: Table) -> list[str]:
    cells = [table.columns, *table.rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return [line.rstrip() for line in ([table.title] if table.title else []) + lines]
