"""`cloudserve plan`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudserve.cli.exits import CHANGES, Exit
from cloudserve.cli.last_known import offline_option, recalled, remember
from cloudserve.cli.options import Number, Subject, print_progress, project_options, target_options
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import output_option, print_report

if TYPE_CHECKING:
    from cloudserve.release.canary.rules import CanaryRules
    from cloudserve.release.types import Plan


@click.command("plan")
@click.argument(
    "operation",
    type=click.Choice(["deploy", "promote", "rollback", "undeploy"]),
    metavar="OPERATION",
)
@target_options
@click.option(
    "--version", metavar="VERSION", help="The version to deploy, promote, roll back to or undeploy."
)
@click.option(
    "--percent",
    type=Number(1, 100),
    default=100,
    help="The percentage of the traffic to promote to.",
)
@click.option(
    "--all", "everything", is_flag=True, help="Undeploy the whole model, including its endpoint."
)
@click.option(
    "--out",
    type=NamedPath(dir_okay=False),
    help="Write the plan to a file, for `cloudserve apply`.",
)
@click.option(
    "--exit-code", is_flag=True, help=f"Exit with {Exit.PENDING} if there is something to do."
)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit as `terraform plan` does: 0 if there is nothing to do, 1 for any error, 2 if there "
    "is something to do.",
)
@offline_option
@project_options
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    operation: str,
    subject: Subject,
    version: str | None,
    percent: int,
    everything: bool,
    out: Path | None,
    exit_code: bool,
    detailed_exitcode: bool,
    offline: bool,
    output: str,
) -> None:
    """Show what a release would do, without doing it.

    OPERATION is deploy, promote, rollback or undeploy. With --out the plan is written to a file
    for review; `cloudserve apply` then carries it out, or refuses it if something has changed.

    With --offline the plan is made from the last known state, which `plan`, `status`, `diff` and
    each release keep on this machine. Such a plan cannot be applied.
    """
    from cloudserve.cli.render.release.plan import plan_report
    from cloudserve.known.tape import Recorder
    from cloudserve.release.planning.plan_file import write_plan

    if exit_code and detailed_exitcode:
        raise click.UsageError("--exit-code and --detailed-exitcode are mutually exclusive")
    if offline and out is not None:
        raise click.UsageError("--offline and --out are mutually exclusive: it cannot be applied")
    tape = Recorder()
    verbs = recalled(subject) if offline else subject.releases(tape=tape)
    plan = verbs.plan(operation, version, percent, everything=everything)
    if out is not None:
        write_plan(plan, out)
    print_report(plan_report(plan, _canary(subject) if operation == "promote" else None), output)
    if out is not None:  # last, where the reader of a long plan looks
        print_progress(f"wrote {out}; to carry it out:\n  {_apply_command(plan, out)}")
    if not offline:
        remember(subject, verbs, tape)
    if detailed_exitcode and plan.actions:
        raise click.exceptions.Exit(CHANGES)
    if exit_code and plan.actions:
        raise click.exceptions.Exit(Exit.PENDING)


def _apply_command(plan: Plan, out: Path) -> str:
    """Return the command that applies a plan, which is refused in another environment."""
    words = ["cloudserve", "apply", str(out)]
    if plan.destination and plan.destination.environment:
        words += ["--env", plan.destination.environment]
    return shlex.join(words)


def _canary(subject: Subject) -> CanaryRules | None:
    """Return the canary that the project file has for the target; None if it has none."""
    from cloudserve.release.canary.rules import CanaryRules

    settings = subject.project().target(subject.target).canary
    return CanaryRules(**settings.rules) if settings != type(settings)() else None
