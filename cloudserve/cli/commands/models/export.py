"""`cloudserve export`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from cloudserve.cli.export_flags import examples_options, image_options, steps_options, tensor_names
from cloudserve.cli.model_argument import pairs, split_tags, tags_option
from cloudserve.cli.options import VersionNumber
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import Report, Table, output_option, print_report
from cloudserve.local.model_export import ExamplesInput, ExportReport, ExportRequest, ImageInput
from cloudserve.local.model_steps import InputStep, OutputStep
from cloudserve.plural import counted


@click.command("export")
@click.argument("source")
@click.argument("base", type=NamedPath(file_okay=False))
@click.option("--version", type=VersionNumber(), help="The number; by default the next one.")
@click.option(
    "--inputs",
    multiple=True,
    metavar="[SIGNATURE:]NAME=TENSOR",
    help="An input of a graph's signature, such as x=import/x:0. Can be repeated.",
)
@click.option(
    "--outputs",
    multiple=True,
    metavar="[SIGNATURE:]NAME=TENSOR",
    help="An output of a graph's signature, such as y=import/y:0. Can be repeated.",
)
@click.option(
    "--signature",
    "names",
    multiple=True,
    metavar="NEW=OLD",
    help="Add the signature NEW, a copy of OLD: a signature, or a function of a SavedModel. Can be "
    "repeated.",
)
@click.option(
    "--open-batch",
    is_flag=True,
    help="Open a fixed first dimension of the inputs, so that a request has any number of rows. "
    "Refused if a constant of the graph has it, or rows change each other's answers.",
)
@tags_option
@click.option(
    "--custom-objects",
    metavar="MODULE",
    default="",
    help="The module with the custom classes and functions of a Keras file; its code is run.",
)
@click.option(
    "--trust-source",
    "trusted",
    is_flag=True,
    help="Run the code in a Keras file, such as that of Lambda layers.",
)
@steps_options
@image_options
@examples_options
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    source: str,
    base: Path,
    version: int | None,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    names: tuple[str, ...],
    open_batch: bool,
    tags: str | None,
    custom_objects: str,
    trusted: bool,
    image: ImageInput | None,
    examples: ExamplesInput | None,
    preprocess: dict[str, list[InputStep]],
    postprocess: dict[str, list[OutputStep]],
    output: str,
) -> None:
    """Export a trained model as a version with signatures.

    SOURCE is a .keras or .h5 file, a checkpoint with its .meta file, a frozen graph (.pb), a
    SavedModel, or MODULE:FUNCTION, a function in the current directory that returns a Keras model,
    a tf.Module or a tf.function; its code is run. BASE is the base path, such as models/NAME: the
    version is written as BASE/NUMBER. Before it appears it is checked, loaded as TensorFlow Serving
    does, and answers made-up inputs beside the source. This needs TensorFlow.
    """
    from cloudserve.registry import local_server

    request = ExportRequest(
        version=version,
        image=image,
        examples=examples,
        tensors=tensor_names(inputs, outputs),
        names=pairs(names, "--signature"),
        preprocess=preprocess,
        postprocess=postprocess,
        custom_objects=custom_objects,
        trusted=trusted,
        open_batch=open_batch,
        tags=split_tags(tags, ("serve",)),
    )
    print_report(_report(local_server().export(source, base, request)), output)


def _report(report: ExportReport) -> Report:
    answers = "its answers were not compared"
    if report.compared:
        bits = "with the same bits" if not report.ulp else f"within {report.ulp:,} ULP"
        answers = f"{counted(report.compared, 'batch', 'batches')} answered {bits}"
    title = (
        f"wrote {report.path}: {counted(len(report.signatures), 'signature')} "
        f"({', '.join(report.signatures)}); {answers}"
    )
    lines = [title, *(f"  warning: {one}" for one in report.warnings)]
    return Report(msgspec.to_builtins(report, enc_hook=str), (Table((), (), "\n".join(lines)),))
