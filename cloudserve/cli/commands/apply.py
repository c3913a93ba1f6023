"""`cloudserve apply`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.options import Subject, allow_breaking_option, progress, project_options
from cloudserve.cli.render.progress import showing
from cloudserve.cli.render.report import output_option, show


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@allow_breaking_option
@yes_option
@project_options
@output_option
def command(
    *,
    file: Path,
    project_file: Path,
    settings: tuple[str, ...],
    allow_breaking: bool,
    yes: bool,
    output: str,
) -> None:
    """Do what a plan in a file says.

    FILE is what `cloudserve plan --out` wrote. It is refused, before anything is done, when the
    platform, the target's fields or the model's files were changed since. One that was stopped goes
    on when it is applied again.
    """
    from cloudserve.cli.render.deployment import outcome_report
    from cloudserve.release.planning.plan_file import read_plan

    plan = read_plan(file)
    subject = Subject(plan.model, plan.target, project_file, settings)
    with showing(progress) as view:
        outcome = subject.releases(view, yes=yes, allow_breaking=allow_breaking).apply(plan)
    show(outcome_report(outcome), output)
