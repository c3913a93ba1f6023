"""`cloudserve status`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.consent import announce
from cloudserve.cli.exits import Exit
from cloudserve.cli.last_known import remember
from cloudserve.cli.options import (
    Subject,
    load,
    names_of,
    only_target,
    project_options,
    target_option_for,
)
from cloudserve.cli.render.report import output_option, print_report


@click.command("status")
@click.argument("model", required=False, shell_complete=names_of("models"))
@target_option_for(
    "A target of the project file; by default the only one, and without MODEL all of them."
)
@project_options
@output_option
def command(
    *,
    model: str | None,
    target: str | None,
    project_file: Path,
    settings: tuple[str, ...],
    output: str,
) -> None:
    """Show a model's versions and traffic on a target, or what runs of all models.

    Without MODEL: every model of the project, on the target or on all targets. Exits with 4 if an
    endpoint has failed or could not be read.
    """
    if model is None:
        is_well = _all(target, project_file, settings, output)
    else:
        chosen = target or only_target(load(project_file, settings))
        is_well = _one(Subject(model, chosen, project_file, settings), output)
    if not is_well:
        click.get_current_context().exit(Exit.REMOTE)


def _one(subject: Subject, output: str) -> bool:
    """Show a model on a target; return whether it has not failed."""
    from cloudserve.cli.render.release.deployment import deployment_report
    from cloudserve.known.tape import Recorder
    from cloudserve.release.canary.journal import open_canary
    from cloudserve.release.types import State

    tape = Recorder()
    releases = subject.releases(tape=tape)
    deployment = releases.status()
    print_report(deployment_report(deployment, open_canary(releases.ledger, deployment)), output)
    remember(subject, releases, tape)
    return deployment.state is not State.FAILED


def _all(target: str | None, project_file: Path, settings: tuple[str, ...], output: str) -> bool:
    """Show all models; return whether each could be read and has not failed."""
    from cloudserve.cli.render.release.overview import overview_report
    from cloudserve.release.inspection.overview import read_overview

    project = load(project_file, settings)
    targets = (target,) if target else ()
    standings = tuple(read_overview(project, targets, announce=announce))
    print_report(overview_report(standings, project.environment), output)
    return all(one.is_well for one in standings)
