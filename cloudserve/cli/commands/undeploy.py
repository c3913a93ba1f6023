"""`cloudserve undeploy`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.options import Subject, dry_run_option, project_options, target_options
from cloudserve.cli.render.report import output_option, show


@click.command("undeploy")
@target_options
@click.option(
    "--version",
    metavar="VERSION",
    help="A number, revision id or digest; all without traffic by default.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="The model as a whole, with its traffic and its endpoint.",
)
@dry_run_option
@yes_option
@project_options
@output_option
def command(
    *,
    subject: Subject,
    version: str | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Take versions, or a whole model, off a target.

    A version that has traffic is refused: promote another one first, or give --all. The files,
    manifests and the ledger stay in the bucket, so that `cloudserve deploy` brings a version back.
    """
    from cloudserve.cli.render.deployment import outcome_report
    from cloudserve.cli.render.plan import plan_report

    if version is not None and everything:
        raise click.UsageError("--version and --all exclude each other")
    verbs = subject.releases(yes=yes)
    if dry_run:
        show(plan_report(verbs.plan_undeploy(version, everything=everything)), output)
        return
    show(outcome_report(verbs.undeploy(version, everything=everything)), output)
