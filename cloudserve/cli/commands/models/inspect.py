"""`cloudserve inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudserve.cli.model_argument import locate, split_tags, tags_option
from cloudserve.cli.options import VersionNumber, project_option
from cloudserve.cli.render.report import Report, output_option, print_report

if TYPE_CHECKING:
    from cloudserve.project import Model
    from cloudserve.savedmodel import SavedModel


@click.command("inspect")
@click.argument("model")
@click.option("--version", type=VersionNumber(), help="The version; by default the highest.")
@tags_option
@click.option(
    "--requests",
    is_flag=True,
    help="Show a sample request to each signature instead, for each platform and tool.",
)
@project_option
@output_option
def command(
    *,
    model: str,
    version: int | None,
    tags: str | None,
    requests: bool,
    project_file: Path,
    output: str,
) -> None:
    """Show a SavedModel's signatures and files, without TensorFlow.

    MODEL is a SavedModel directory, a base path with NUMBER/ directories, or a model of the
    project. For a model that TensorFlow Serving cannot serve the command exits with 3 after it has
    shown the model.
    """
    from cloudserve.cli.render.models.model import model_report
    from cloudserve.savedmodel import read_saved_model, read_tree
    from cloudserve.savedmodel.checks.servable import check_is_restored
    from cloudserve.storage.model_source import ModelSource

    located = locate(model, project_file)
    number, folder = ModelSource(located).resolve(version)
    saved_model = read_saved_model(folder, split_tags(tags, located.tags))
    if requests:
        print_report(_requests(located, folder, saved_model), output)
        return
    print_report(model_report(saved_model, read_tree(folder), number), output)
    check_is_restored(saved_model.unrestored, str(folder))


def _requests(located: Model, folder: Path, model: SavedModel) -> Report:
    from cloudserve.cli.render.models.samples import samples_report
    from cloudserve.golden.samples import sample_requests

    name = located.name if not Path(located.name).exists() else folder.parent.name
    samples = sample_requests(model.signatures)
    return samples_report(name, str(folder), model.signatures, samples)
