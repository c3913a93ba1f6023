"""`cloudserve undeploy`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.last_known import remember
from cloudserve.cli.options import Subject, dry_run_option, project_options, target_options
from cloudserve.cli.render.report import output_option, print_report


@click.command("undeploy")
@target_options
@click.option(
    "--version",
    metavar="VERSION",
    help="A number, revision id or digest; by default all versions without traffic but the one "
    "that a rollback goes back to.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Remove the whole model, including versions with traffic and the endpoint.",
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
    """Remove versions, or a whole model, from a target.

    A version with traffic is not removed: promote another one first, or use --all. The files,
    manifests and the ledger stay in the bucket, so `cloudserve rollback` and `deploy` can restore a
    version; `cloudserve gc` removes old ones.
    """
    from cloudserve.cli.render.release.deployment import outcome_report
    from cloudserve.cli.render.release.plan import plan_report

    if version is not None and everything:
        raise click.UsageError("--version and --all are mutually exclusive")
    verbs = subject.releases(yes=yes)
    if dry_run:
        print_report(plan_report(verbs.plan_undeploy(version, everything=everything)), output)
        return
    print_report(outcome_report(verbs.undeploy(version, everything=everything)), output)
    remember(subject, verbs)
