"""`cloudserve promote`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.options import (
    Number,
    Subject,
    allow_breaking_option,
    dry_run_option,
    project_options,
    target_options,
)
from cloudserve.cli.render.report import output_option, print_report


@click.command("promote")
@target_options
@click.option(
    "--version", metavar="VERSION", help="A number, revision id or digest; by default the newest."
)
@click.option(
    "--percent",
    type=Number(1, 100),
    default=100,
    show_default=True,
    help="The percentage of the traffic; the other versions keep the rest.",
)
@allow_breaking_option
@dry_run_option
@yes_option
@project_options
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    subject: Subject,
    version: str | None,
    percent: int,
    allow_breaking: bool,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Send all traffic, or a part, to a deployed version.

    With --percent 10 the version answers one request in ten, if the platform can split traffic
    (Vertex AI and SageMaker can). `cloudserve rollback` reverts it.
    """
    from cloudserve.cli.render.deployment import outcome_report
    from cloudserve.cli.render.plan import plan_report

    verbs = subject.releases(yes=yes, allow_breaking=allow_breaking)
    if dry_run:
        print_report(plan_report(verbs.plan_promote(version, percent=percent)), output)
        return
    print_report(outcome_report(verbs.promote(version, percent=percent)), output)
