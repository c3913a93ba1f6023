"""`cloudserve history`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudserve.cli.options import releases, target_options
from cloudserve.cli.report import Report, Table, output_option, show
from cloudserve.release.traffic import ALL

if TYPE_CHECKING:
    from cloudserve.release.ledger import Release

COLUMNS = ("TIME (UTC)", "WHO", "DID", "REVISION", "BEFORE", "OUTCOME", "DIGEST")


@click.command("history")
@target_options
@output_option
def command(
    *, model: str, target: str, project_file: Path, settings: tuple[str, ...], output: str
) -> None:
    """Show who released what, when, from which digest."""
    entries = releases(model, target, project_file, settings).history()
    rows = [_row(entry) for entry in entries]
    title = f"{model} on {target}: {_count(len(entries))}"
    show(Report(entries, (Table(COLUMNS, rows, title),)), output)


def _count(releases: int) -> str:
    return {0: "nothing was released", 1: "1 release"}.get(releases, f"{releases} releases")


def _row(release: Release) -> tuple[str, ...]:
    return (
        f"{release.started:%Y-%m-%d %H:%M:%S}",
        release.who,
        release.operation if release.percent == ALL else f"{release.operation} {release.percent} %",
        release.revision,
        release.previous or "-",
        _outcome(release),
        release.digest[:16],
    )


def _outcome(release: Release) -> str:
    match release.outcome:
        case "finished":
            return "done"
        case "stopped":
            return f"stopped: {release.error}"
        case _:
            return f"unfinished, {len(release.steps)} steps done"
