"""Results for GitHub Actions: annotations of a file's line, and the summary of a step.

Source: GitHub documentation, "Workflow commands for GitHub Actions": `::error`, the environment
file GITHUB_STEP_SUMMARY, and the escapes of actions/toolkit (packages/core/src/command.ts).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from cloudserve.cli.render.report import Report, Table
from cloudserve.errors import UserError
from cloudserve.hints import in_markdown

SUMMARY = "GITHUB_STEP_SUMMARY"
_PLACE = re.compile(r"(?P<file>[^:]+):(?P<line>[0-9]+)(?::|$)")
_LEVELS = {"error", "warning", "notice"}


def markdown(report: Report) -> str:
    """Return a report's tables as Markdown."""
    return "\n\n".join("\n".join(_table(table)) for table in report.tables) + "\n"


def append_summary(text: str) -> None:
    """Append Markdown to the summary of the step; does nothing outside of GitHub Actions.

    Raises UserError if it cannot be written.
    """
    path = os.environ.get(SUMMARY)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{text.rstrip()}\n\n")
    except OSError as error:
        raise UserError(
            f"the step's summary cannot be written: {error.strerror}",
            where=path,
            hint=f"check the variable {SUMMARY}, or use another --output",
        ) from error


def annotation(level: str, title: str, message: str, where: str | None = None) -> str:
    """Return the line that annotates a file, if `where` is `FILE:LINE: …`, or the step."""
    assert level in _LEVELS
    fields = {**_place(where or ""), "title": title}
    named = ",".join(f"{name}={_property(text)}" for name, text in fields.items())
    return f"::{level} {named}::{_data(message)}"


def _place(where: str) -> dict[str, str]:
    match = _PLACE.match(where)
    if match is None or not Path(match["file"]).is_file():
        return {}
    return {"file": _relative(match["file"]), "line": match["line"]}


def _relative(path: str) -> str:
    """Return a path below the root of the repository, as annotations name it."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    full = Path(path).absolute()
    return str(full.relative_to(root)) if full.is_relative_to(root) else path


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _table(table: Table) -> list[str]:
    title = [f"**{in_markdown(line)}**  " for line in table.title.splitlines()]
    if not table.rows:
        return title
    rule = "|---" * len(table.columns) + "|"
    lines = [*title, *([""] if title else []), _row(table.columns), rule]
    notes = [f"* {in_markdown(note)}" for note in table.notes.values()]
    return [*lines, *map(_row, table.rows), *([""] if notes else []), *notes]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(in_markdown, cells))} |"
