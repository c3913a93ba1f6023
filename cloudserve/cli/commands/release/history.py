"""`cloudserve history`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cloudserve.cli.options import Number, Subject, project_options, target_options
from cloudserve.cli.render.report import Report, Table, output_option, print_report
from cloudserve.plural import counted
from cloudserve.release.traffic import ALL

if TYPE_CHECKING:
    from cloudserve.release.state.entries import Release

COLUMNS = ("TIME (UTC)", "WHO", "DID", "REVISION", "BEFORE", "OUTCOME")


@click.command("history")
@target_options
@click.option(
    "--limit",
    type=Number(min=0),
    default=20,
    help="The number of most recent releases to show; 0 shows all.",
)
@project_options
@output_option
def command(
    *,
    subject: Subject,
    limit: int,
    output: str,
) -> None:
    """Show a model's releases: who, what, when."""
    # Read one more than is shown, to know whether there are more.
    releases = subject.releases().history(limit + 1 if limit else None)
    shown = releases[-limit:]
    title = f"{subject}: {_count(len(shown), more=len(releases) > len(shown))}"
    reasons = {number: reason for number, entry in enumerate(shown) if (reason := _reason(entry))}
    table = Table(COLUMNS, [_row(entry) for entry in shown], title, reasons)
    print_report(Report(shown, (table,)), output)


def _count(releases: int, *, more: bool) -> str:
    if more:
        return f"the last {counted(releases, 'release')}, --limit 0 shows all"
    return counted(releases, "release") if releases else "nothing released"


def _row(release: Release) -> tuple[str, ...]:
    return (
        f"{release.started:%Y-%m-%d %H:%M}",
        release.who,
        _verb(release),
        ", ".join(release.removes) or release.revision or "-",
        release.previous or "-",
        _outcome(release),
    )


def _verb(release: Release) -> str:
    if release.everything:
        return f"{release.operation} all"
    share = "" if release.percent == ALL else f" {release.percent} %"
    return f"{release.operation}{share}"


def _done(release: Release) -> str:
    overridden = [v.gate for v in release.verdicts if v.ruling == "overridden"]
    return f"done, {' and '.join(overridden)} overridden" if overridden else "done"


def _reason(release: Release) -> str:
    if release.outcome == "refused":
        return release.verdicts[-1].sentence
    if release.error or release.canary is None or release.percent == ALL:
        return release.error or release.comment
    return release.canary.sentence


def _outcome(release: Release) -> str:
    match release.outcome:
        case "finished":
            finder = f", found by {release.ended_by}" if release.ended_by else ""
            return f"{_done(release)}{finder}"
        case "refused":
            return f"refused by {release.verdicts[-1].gate}"
        case "approved" | "withdrawn":
            return release.outcome
        case "superseded":
            return f"interrupted, then {release.superseded_by} by {release.ended_by}"
        case "stopped":
            return "stopped"
        case _:
            return f"unfinished, {counted(len(release.steps), 'step')} done"
