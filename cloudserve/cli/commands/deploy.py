"""`cloudserve deploy`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.options import (
    Number,
    Subject,
    allow_breaking_option,
    dry_run_option,
    progress,
    project_options,
    target_options,
)
from cloudserve.cli.render.progress import showing
from cloudserve.cli.render.report import output_option, show


@click.command("deploy")
@target_options
@click.option("--version", type=Number(min=0), help="The version directory to deploy.")
@allow_breaking_option
@dry_run_option
@yes_option
@project_options
@output_option
def command(
    *,
    subject: Subject,
    version: int | None,
    allow_breaking: bool,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Put a model version on a target, beside what is live.

    The newest version is taken unless --version names one. The first version of a model takes
    all traffic; later ones wait for `cloudserve promote`. What is there already is left alone.

    A target of `provider: ai-platform` is for the offline clouds and for migration: Google shut the
    service down on 31 January 2025. See `cloudserve migrate`.
    """
    from cloudserve.cli.render.deployment import outcome_report
    from cloudserve.cli.render.plan import plan_report

    if dry_run:
        plan = subject.releases().plan_deploy(version)
        show(plan_report(plan), output)
        return
    with showing(progress) as view:
        outcome = subject.releases(view, yes=yes, allow_breaking=allow_breaking).deploy(version)
    show(outcome_report(outcome), output)
