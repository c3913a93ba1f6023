"""`cloudserve inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudserve.cli.model_argument import locate, resolve_numbered, split_tags, tags_option
from cloudserve.cli.options import VersionNumber, project_option
from cloudserve.cli.render.report import Report, output_option, print_report, print_result
from cloudserve.errors import UserError

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
@click.option(
    "--openapi",
    is_flag=True,
    help="Print the OpenAPI 3.1 document of a server of this model instead, as JSON.",
)
@project_option
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    model: str,
    version: int | None,
    tags: str | None,
    requests: bool,
    openapi: bool,
    project_file: Path,
    output: str,
) -> None:
    """Show a SavedModel's signatures and files, without TensorFlow.

    MODEL is a SavedModel directory, a base path with NUMBER/ directories, the URL of either in a
    bucket, or a model of the project; also a TensorFlow Lite or ONNX file. For a model that
    TensorFlow Serving cannot serve the command exits with 3 after it has shown the model.
    """
    from cloudserve.cli.render.models.model import model_report
    from cloudserve.modelfiles.kinds import is_model_file
    from cloudserve.savedmodel import read_saved_model, read_tree
    from cloudserve.savedmodel.checks.servable import check_is_restored
    from cloudserve.storage.model_source import named_by_url

    located = locate(model, project_file)
    number, path = resolve_numbered(located, version)
    with named_by_url(located, path):
        if is_model_file(path):
            report = _file_report(path, number, located.url, requests=requests or openapi)
            print_report(report, output)
            return
        saved_model = read_saved_model(path, split_tags(tags, located.tags))
        where = located.url or str(path)
        if openapi:
            print_result(_openapi(located, path, saved_model))
        elif requests:
            print_report(_requests(located, path, saved_model, where), output)
        else:
            print_report(model_report(saved_model, read_tree(path), number, where), output)
            check_is_restored(saved_model.unrestored, where)


def _file_report(path: Path, number: int, url: str, *, requests: bool) -> Report:
    from cloudserve.cli.render.models.model_file import model_file_report
    from cloudserve.modelfiles.files import ModelFile
    from cloudserve.modelfiles.model import read_model_file

    if requests:
        raise UserError(
            "sample requests and OpenAPI documents are made of SavedModels",
            where=str(path),
            hint="leave out --requests and --openapi; docs/how-to/serve-tflite-and-onnx.md has an "
            "example",
        )
    return model_file_report(read_model_file(ModelFile.of(path)), number, url)


def _name_of(located: Model, folder: Path) -> str:
    """Return the name under which a server would have the model."""
    return located.name if not Path(located.name).exists() else folder.parent.name


def _openapi(located: Model, folder: Path, model: SavedModel) -> bytes:
    import msgspec

    from cloudserve.openapi.document import DescribedModel, openapi_document

    name = _name_of(located, folder)
    described = DescribedModel(name, model.signatures)
    document = openapi_document([described], f"The model {name}", "http://127.0.0.1:8501")
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _requests(located: Model, folder: Path, model: SavedModel, where: str) -> Report:
    from cloudserve.cli.render.models.samples import samples_report
    from cloudserve.golden.samples import sample_requests

    name = _name_of(located, folder)
    samples = sample_requests(model.signatures)
    return samples_report(name, where, model.signatures, samples)
