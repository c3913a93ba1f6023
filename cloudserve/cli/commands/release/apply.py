"""`cloudserve apply`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.gate_flags import GateFlags, gate_options
from cloudserve.cli.last_known import remember
from cloudserve.cli.options import Subject, project_options
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import print_outcome, release_output_option


@click.command("apply")
@click.argument("file", type=NamedPath())
@gate_options
@yes_option
@project_options
@release_output_option
def command(
    *,
    file: Path,
    project_file: Path,
    settings: tuple[str, ...],
    gates: GateFlags,
    yes: bool,
    output: str,
) -> None:
    """Carry out a plan from a file.

    FILE was written by `cloudserve plan --out`. It is refused, before any change, if the platform,
    the target's fields or the model's files have changed since. Apply an interrupted plan again to
    continue it.
    """
    from cloudserve.cli.render.release.deployment import outcome_report
    from cloudserve.release.planning.plan_file import read_plan

    plan = read_plan(file)
    subject = Subject(plan.model, plan.target, project_file, settings)
    releases = subject.releases(yes=yes, gates=gates)
    outcome = gates.carry_out(lambda: releases.apply(plan))
    print_outcome(outcome_report(outcome), output)
    remember(subject, releases)
