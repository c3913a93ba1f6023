"""`cloudserve diff`."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from cloudserve.cli.last_known import offline_option, recalled, remember
from cloudserve.cli.options import (
    Subject,
    load,
    project_options,
    subjects_of,
    target_option,
)
from cloudserve.cli.render.report import output_option, print_report
from cloudserve.errors import UserError

INCOMPATIBLE = 6
"""The exit code if the second model does not answer all requests of the first one's clients."""
DRIFTED = 1
"""The exit code if project file, ledger and platform differ; as `diff` and `kubectl diff` exit."""


@click.command("diff")
@click.argument("live", metavar="[LIVE NEW | MODEL]", required=False)
@click.argument("new", required=False, metavar="")
@click.option(
    "--tags",
    help="The MetaGraph's tags, comma-separated; by default the project's, or `serve`.",
)
@target_option
@offline_option
@project_options
@output_option
@click.pass_context
def command(  # noqa: PLR0913 - one parameter per option
    context: click.Context,
    live: str | None,
    new: str | None,
    *,
    tags: str | None,
    target: str | None,
    offline: bool,
    project_file: Path,
    settings: tuple[str, ...],
    output: str,
) -> None:
    """Compare two models, or a target with the project file and the ledger.

    LIVE and NEW are directories, MODEL[:VERSION] of the project, or released revisions as
    MODEL[:VERSION]@TARGET, by default the live one. What they answer is compared without
    TensorFlow; the command exits with 6 if NEW does not answer every request that LIVE answers.

    With --target a MODEL, by default every model of the project, is compared as project file,
    ledger and platform have it: traffic, revisions, machines, instances, image, environment. The
    command exits with 1 if they differ, as after a change by hand. With --offline ledger and
    platform are as in the last known state.
    """
    is_named = context.get_parameter_source("target") is ParameterSource.COMMANDLINE
    if live is not None and new is not None and not is_named:
        if offline:
            raise click.UsageError("--offline is for --target")
        _compare_models(live, new, tags, project_file, output)
        return
    if new is not None or tags is not None:
        raise click.UsageError("--target takes at most one MODEL, and no --tags")
    if live is not None and not target and Path(live).exists():
        raise click.UsageError("missing argument NEW: a model to compare with")
    subjects = subjects_of(live, target, project_file, settings)
    _compare_target(subjects, output, offline=offline)


def _compare_target(subjects: tuple[Subject, ...], output: str, *, offline: bool) -> None:
    from cloudserve.cli.render.release.difference import drift_report
    from cloudserve.known.tape import Recorder

    tapes = [Recorder() for _ in subjects]
    verbs = [
        recalled(subject) if offline else subject.releases(tape=tape)
        for subject, tape in zip(subjects, tapes, strict=True)
    ]
    reports = [each.drift() for each in verbs]
    print_report(drift_report(reports), output)
    for subject, each, tape in zip(subjects, verbs, tapes, strict=True):
        if not offline:
            remember(subject, each, tape)
    if any(each.drifts for each in reports):
        raise click.exceptions.Exit(DRIFTED)


def _compare_models(live: str, new: str, tags: str | None, project_file: Path, output: str) -> None:
    from cloudserve.cli.render.release.difference import difference_report
    from cloudserve.release.inspection.diff import diff

    unknown = [name for name in (live, new) if not Path(name).exists()]
    if unknown and not project_file.exists():
        raise UserError(
            f"`{unknown[0]}` is not a directory, and there is no project file with a model of that "
            "name",
            where=str(project_file),
            hint="give the directory of a SavedModel, or --project",
        )
    project = load(project_file, ()) if unknown else None
    requested = tuple(tag.strip() for tag in tags.split(",")) if tags is not None else None
    comparison = diff(live, new, project=project, tags=requested)
    print_report(difference_report(comparison), output)
    if not comparison.contract.is_compatible:
        raise click.exceptions.Exit(INCOMPATIBLE)
