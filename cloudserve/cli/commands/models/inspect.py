"""`cloudserve inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.model_argument import locate, split_tags, tags_option
from cloudserve.cli.options import VersionNumber, project_option
from cloudserve.cli.render.report import output_option, print_report


@click.command("inspect")
@click.argument("model")
@click.option("--version", type=VersionNumber(), help="The version; by default the highest.")
@tags_option
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

    located = locate(model, project_file)
    number, folder = ModelSource(located).resolve(version)
    saved_model = read_saved_model(folder, split_tags(tags, located.tags))
    print_report(model_report(saved_model, read_tree(folder), number), output)
    check_is_restored(saved_model.unrestored, str(folder))
