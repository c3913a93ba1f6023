"""`cloudserve promote`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import releases, target_options
from cloudserve.cli.report import output_option, show


@click.command("promote")
@target_options
@click.option("--version", help="A number, revision id or digest; the newest by default.")
@output_option
def command(
    *,
    model: str,
    target: str,
    project_file: Path,
    settings: tuple[str, ...],
    version: str | None,
    output: str,
) -> None:
    """Give a deployed version all traffic."""
    from cloudserve.cli.deployment_report import outcome_report

    outcome = releases(model, target, project_file, settings).promote(version)
    show(outcome_report(outcome), output)
