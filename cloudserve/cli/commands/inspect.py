"""`cloudserve inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudserve.cli.options import VersionNumber, load, project_option
from cloudserve.cli.render.report import output_option, print_report
from cloudserve.errors import UserError
from cloudserve.hints import did_you_mean

if TYPE_CHECKING:
    from cloudserve.project import Model


@click.command("inspect")
@click.argument("model")
@click.option("--version", type=VersionNumber(), help="The version; by default the highest.")
@click.option(
    "--tags",
    help="The MetaGraph's tags, comma-separated; by default the project's, or `serve`.",
)
@project_option
@output_option
def command(
    *, model: str, version: int | None, tags: str | None, project_file: Path, output: str
) -> None:
    """Show a SavedModel's signatures and files, without TensorFlow.

    MODEL is a SavedModel directory, a base path with NUMBER/ directories, or a model of the
    project. For a model that TensorFlow Serving cannot serve the command exits with 3 after it has
    shown the model.
    """
    from cloudserve.cli.render.model import model_report
    from cloudserve.savedmodel import read_saved_model, read_tree
    from cloudserve.savedmodel.checks.servable import check_is_restored
    from cloudserve.storage.model_source import ModelSource

    located = _locate(model, project_file)
    number, folder = ModelSource(located).resolve(version)
    requested = tuple(tag.strip() for tag in tags.split(",")) if tags is not None else located.tags
    saved_model = read_saved_model(folder, requested)
    print_report(model_report(saved_model, read_tree(folder), number), output)
    check_is_restored(saved_model.unrestored, str(folder))


def _locate(model: str, project_file: Path) -> Model:
    from cloudserve.project import Model

    path = Path(model)
    if path.exists():
        return Model(model, path)
    if not project_file.exists():
        raise UserError(
            f"`{model}` is not a directory, and there is no project file with a model of that name",
            where=str(project_file),
            hint="give the directory of a SavedModel, or --project",
        )
    models = load(project_file, ()).models
    if model not in models:
        raise UserError(
            f"`{model}` is not a directory, and the project has no model of that name",
            where=str(project_file),
            hint=did_you_mean(model, models),
        )
    return models[model]
