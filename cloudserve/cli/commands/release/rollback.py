"""`cloudserve rollback`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.last_known import remember
from cloudserve.cli.options import Subject, dry_run_option, project_options, target_options
from cloudserve.cli.render.report import output_option, print_report


@click.command("rollback")
@target_options
@click.option(
    "--to", metavar="VERSION", help="A number, revision id or digest; by default the previous one."
)
@dry_run_option
@yes_option
@project_options
@output_option
def command(
    *,
    subject: Subject,
    to: str | None,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Send the traffic back to the previous version.

    The previous version is the one that was live before the current one, according to the ledger.
    Nothing is uploaded again.
    """
    from cloudserve.cli.render.release.deployment import outcome_report
    from cloudserve.cli.render.release.plan import plan_report

    verbs = subject.releases(yes=yes)
    if dry_run:
        print_report(plan_report(verbs.plan_rollback(to)), output)
        return
    print_report(outcome_report(verbs.rollback(to)), output)
    remember(subject, verbs)
