"""`cloudserve promote`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from cloudserve.cli.canary import CanaryFlags, CanaryOptions, canary_options
from cloudserve.cli.consent import yes_option
from cloudserve.cli.gate_flags import GateFlags, gate_options
from cloudserve.cli.last_known import remember
from cloudserve.cli.options import (
    Number,
    Subject,
    dry_run_option,
    print_progress,
    project_options,
    target_options,
)
from cloudserve.cli.render.report import (
    Report,
    print_outcome,
    print_report,
    release_output_option,
)
from cloudserve.release.traffic import ALL
from cloudserve.storage.events import Reporter

if TYPE_CHECKING:
    from cloudserve.release.service import Releases


@click.command("promote")
@target_options
@click.option(
    "--version", metavar="VERSION", help="A number, revision id or digest; by default the newest."
)
@click.option(
    "--percent",
    type=Number(1, 100),
    default=ALL,
    help="The percentage of the traffic; the other versions keep the rest.",
)
@canary_options
@gate_options
@dry_run_option
@yes_option
@project_options
@release_output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    subject: Subject,
    version: str | None,
    percent: int,
    canary: CanaryFlags | None,
    gates: GateFlags,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Send all traffic, or a part, to a deployed version.

    With --percent 10 the version answers one request in ten, if the platform can split traffic
    (Vertex AI and SageMaker can). `cloudserve rollback` reverts it.

    With --canary cloudserve sends the same requests to the version and to the live one, at each
    step of its traffic, until they prove that it does not fail or slow down more often (SageMaker
    and Vertex AI).
    """
    from cloudserve.release.canary.notes import unread_noted

    if canary and percent != ALL:
        raise click.UsageError("`--percent` is one step, and `--canary` has `--steps`")
    with unread_noted(subject.model, subject.target) if canary else nullcontext():
        options = _options(subject, canary) if canary else None
        verbs = subject.releases(yes=yes, gates=gates)
    from cloudserve.cli.render.release.deployment import outcome_report
    from cloudserve.cli.render.release.plan import plan_report

    if dry_run:
        percent = options.rules.steps[0] if options else percent
        plan = verbs.plan_promote(version, percent=percent)
        print_report(plan_report(plan, options.rules if options else None), output)
        return
    if options:
        print_outcome(_by_canary(verbs, version, options, gates), output)
    else:
        outcome = gates.carry_out(lambda: verbs.promote(version, percent=percent))
        print_outcome(outcome_report(outcome), output)
    remember(subject, verbs)


def _options(subject: Subject, canary: CanaryFlags) -> CanaryOptions:
    project = subject.project()
    return canary.options(project, project.target(subject.target), subject.model)


def _by_canary(
    verbs: Releases, version: str | None, options: CanaryOptions, gates: GateFlags
) -> Report:
    from cloudserve.cli.render.release.deployment import canary_report
    from cloudserve.release.canary.run import Decided, promote_by_canary

    decided: list[Decided] = []
    try:
        with gates.reporting():
            outcome = promote_by_canary(
                verbs,
                options.requests,
                version,
                rules=options.rules,
                labels=options.labels,
                reporter=Reporter(print_progress),
                observe=decided.append,
            )
    finally:  # also after a rollback and Ctrl-C
        verdicts = tuple(each.record.verdict(each.percent) for each in decided)
        if decided:
            gates.write(decided[-1].plan, verdicts)
    result = outcome.outcome
    gates.write(result.plan, (*result.verdicts, *verdicts))
    return canary_report(outcome)
