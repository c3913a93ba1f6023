"""`cloudserve approve`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import confirm_change, yes_option
from cloudserve.cli.options import Subject, project_options, target_options
from cloudserve.cli.render.report import Report, Table, output_option, print_report


@click.command("approve")
@target_options
@click.option(
    "--version",
    metavar="VERSION",
    help="A number, revision id or digest; by default the newest that is deployed.",
)
@click.option("--withdraw", is_flag=True, help="End all earlier approvals of the version's files.")
@click.option("--comment", metavar="TEXT", default="", help="A comment for the history.")
@yes_option
@project_options
@output_option
def command(
    *,
    subject: Subject,
    version: str | None,
    withdraw: bool,
    comment: str,
    yes: bool,
    output: str,
) -> None:
    """Approve a version for traffic, as the gate `approval` requires.

    The approval is of the digest of the version's files, and is recorded in the ledger with the
    name of the caller as the cloud gives it (STS, Google's credentials), or else USER@HOST. A
    target with `require_other` takes no approval by those who deployed the version.
    """
    releases = subject.releases()
    what = f"{'withdraw the approvals of' if withdraw else 'approve'} {subject}"
    confirm_change(what, releases.destination, yes=yes)
    entry = releases.approve(version, withdraw=withdraw, comment=comment)
    by = entry.person or f"{entry.who} (a name that this machine gives)"
    table = Table((), (), f"{entry.outcome}: {entry.revision} of {subject}, by {by}")
    print_report(Report(entry, (table,)), output)
