"""`cloudserve diff`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import load, project_option
from cloudserve.cli.render.report import output_option, print_report
from cloudserve.errors import UserError

INCOMPATIBLE = 6
"""The exit code if the second model does not answer all requests of the first one's clients."""


@click.command("diff")
@click.argument("live")
@click.argument("new")
@click.option(
    "--tags",
    help="The MetaGraph's tags, comma-separated; by default the project's, or `serve`.",
)
@project_option
@output_option
def command(live: str, new: str, *, tags: str | None, project_file: Path, output: str) -> None:
    """Compare what two models answer, without TensorFlow.

    LIVE and NEW are directories, MODEL[:VERSION] of the project, or released revisions as
    MODEL[:VERSION]@TARGET, by default the live one. The command exits with 6 if NEW does not answer
    every request that LIVE answers.
    """
    from cloudserve.cli.render.difference import difference_report
    from cloudserve.comparison import diff

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
