"""`cloudserve inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import Number, load, project_option
from cloudserve.cli.render.report import output_option, show
from cloudserve.errors import UserError
from cloudserve.names import which


@click.command("inspect")
@click.argument("model")
@click.option("--version", type=Number(min=0), help="The version; the highest by default.")
@click.option(
    "--tags",
    help="The MetaGraph's tags, comma-separated; the project's, or `serve`, by default.",
)
@project_option
@output_option
def command(
    *, model: str, version: int | None, tags: str | None, project_file: Path, output: str
) -> None:
    """Show what a SavedModel holds, without TensorFlow.

    MODEL is a SavedModel directory, a base path of NUMBER/ ones, or a model of the project.
    A model that TensorFlow Serving cannot answer with is shown, and the command ends with 3.
    """
    from cloudserve.cli.render.model import model_report
    from cloudserve.savedmodel import read_saved_model, read_tree, resolve
    from cloudserve.savedmodel.checks.servable import check_is_restored

    path, own_tags = _locate(model, project_file)
    number, folder = resolve(path, version)
    wanted = tuple(tag.strip() for tag in tags.split(",")) if tags is not None else own_tags
    found = read_saved_model(folder, wanted)
    show(model_report(found, read_tree(folder), number), output)
    check_is_restored(found.unrestored, str(folder))


def _locate(model: str, project_file: Path) -> tuple[Path, tuple[str, ...]]:
    path = Path(model)
    if path.exists():
        return path, ("serve",)
    if not project_file.exists():
        raise UserError(
            f"`{model}` is no directory, and there is no project file to look it up in",
            where=str(project_file),
            hint="give a SavedModel's directory, or --project",
        )
    models = load(project_file, ()).models
    if model not in models:
        raise UserError(
            f"`{model}` is no directory, and the project has no model of that name",
            where=str(project_file),
            hint=which(model, models),
        )
    return models[model].path, models[model].tags
