"""`cloudserve deploy`."""

from __future__ import annotations

import click

from cloudserve.cli.consent import yes_option
from cloudserve.cli.gate_flags import GateFlags, gate_options
from cloudserve.cli.last_known import remember
from cloudserve.cli.options import (
    Subject,
    VersionNumber,
    dry_run_option,
    project_options,
    target_options,
)
from cloudserve.cli.render.report import print_outcome, print_report, release_output_option


@click.command("deploy")
@target_options
@click.option("--version", type=VersionNumber(), help="The version directory to deploy.")
@gate_options
@dry_run_option
@yes_option
@project_options
@release_output_option
def command(
    *,
    subject: Subject,
    version: int | None,
    gates: GateFlags,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Deploy a model version to a target, beside the live one.

    The newest version is deployed unless --version names another. The first version of a model
    receives all traffic; later ones receive none until `cloudserve promote`. Deploying a version
    that is already deployed changes nothing.

    Targets with `provider: ai-platform` only work offline and for migration: Google shut the
    service down on 31 January 2025. See `cloudserve migrate`.
    """
    from cloudserve.cli.render.release.calling import show_calls
    from cloudserve.cli.render.release.deployment import outcome_report
    from cloudserve.cli.render.release.plan import plan_report
    from cloudserve.release.calling import call_example

    if dry_run:
        plan = subject.releases().plan_deploy(version)
        print_report(plan_report(plan), output)
        return
    releases = subject.releases(yes=yes, gates=gates)
    outcome = gates.carry_out(lambda: releases.deploy(version))
    print_outcome(outcome_report(outcome), output)
    if output == "table":
        show_calls(lambda: call_example(subject.project(), subject.model, subject.target))
    remember(subject, releases)
