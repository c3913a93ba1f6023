"""`cloudserve status`."""

from __future__ import annotations

import click

from cloudserve.cli.exits import Exit
from cloudserve.cli.options import Subject, project_options, target_options
from cloudserve.cli.render.report import output_option, print_report


@click.command("status")
@target_options
@project_options
@output_option
def command(*, subject: Subject, output: str) -> None:
    """Show a model's versions and traffic on a target.

    Exits with 4 if the endpoint has failed.
    """
    from cloudserve.cli.render.release.deployment import deployment_report
    from cloudserve.release.canary.journal import open_canary
    from cloudserve.release.types import State

    releases = subject.releases()
    deployment = releases.status()
    print_report(deployment_report(deployment, open_canary(releases.ledger, deployment)), output)
    if deployment.state is State.FAILED:
        click.get_current_context().exit(Exit.REMOTE)
