"""`cloudserve status`."""

from __future__ import annotations

import click

from cloudserve.cli.options import Subject, project_options, target_options
from cloudserve.cli.render.report import output_option, show


@click.command("status")
@target_options
@project_options
@output_option
def command(*, subject: Subject, output: str) -> None:
    """Show what a target has of a model."""
    from cloudserve.cli.render.deployment import deployment_report

    show(deployment_report(subject.releases().status()), output)
