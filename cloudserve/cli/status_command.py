"""`cloudserve status`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import releases, target_options
from cloudserve.cli.report import output_option, show


@click.command("status")
@target_options
@output_option
def command(
    *, model: str, target: str, project_file: Path, settings: tuple[str, ...], output: str
) -> None:
    """Show what a target has of a model."""
    from cloudserve.cli.deployment_report import deployment_report

    show(deployment_report(releases(model, target, project_file, settings).status()), output)
