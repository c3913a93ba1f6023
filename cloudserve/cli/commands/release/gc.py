"""`cloudserve gc`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.last_known import remember
from cloudserve.cli.options import Number, Subject, dry_run_option, models_options, project_options
from cloudserve.cli.render.report import output_option, print_report


@click.command("gc")
@models_options
@click.option(
    "--keep",
    type=Number(min=1),
    required=True,
    metavar="N",
    help="The number of newest versions to keep.",
)
@dry_run_option
@yes_option
@project_options
@output_option
def command(
    *, subjects: tuple[Subject, ...], keep: int, dry_run: bool, yes: bool, output: str
) -> None:
    """Remove old versions and leftovers, with their files in the bucket.

    By default of all models of the project. A version stays if it is one of the N newest, has
    traffic, was live or deployed last, is what a rollback goes back to, or has an alias or label.
    Objects that cloudserve did not write are listed, never deleted.
    """
    from cloudserve.cli.render.release.collection import collection_report

    verbs = [subject.releases(yes=yes) for subject in subjects]
    results = [each.plan_gc(keep) if dry_run else each.gc(keep).plan for each in verbs]
    print_report(collection_report(results, is_done=not dry_run), output)
    for subject, each in zip(subjects, verbs, strict=True) if not dry_run else ():
        remember(subject, each)
