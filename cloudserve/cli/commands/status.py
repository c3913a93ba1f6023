"""`cloudserve status`."""

from __future__ import annotations

import click

from cloudserve.cli.options import Subject, project_options, target_options
from cloudserve.cli.render.report import output_option, print_report


@click.command("status")
@target_options
@project_options
@output_option
def command(*, subject: Subject, output: str) -> None:
    """Show a model's versions and traffic on a target."""
    from cloudserve.cli.render.deployment import deployment_report

    print_report(deployment_report(subject.releases().status()), output)
