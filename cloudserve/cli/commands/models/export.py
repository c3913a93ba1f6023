"""`cloudserve export`."""

from __future__ import annotations

import re
from pathlib import Path

import click
import msgspec

from cloudserve.cli.options import VersionNumber
from cloudserve.cli.render.report import Report, Table, output_option, print_report
from cloudserve.local.model_export import ExportReport, ExportRequest, ImageInput
from cloudserve.plural import counted

_SIZE = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)")


@click.command("export")
@click.argument("source")
@click.argument("base", type=click.Path(path_type=Path, file_okay=False))
@click.option("--version", type=VersionNumber(), help="The number; by default the next one.")
@click.option(
    "--image-bytes",
    is_flag=True,
    help="Add the signature image_bytes, which decodes and resizes PNG, JPEG, GIF or BMP files.",
)
@click.option(
    "--image-scale",
    type=click.FloatRange(0, min_open=True),
    default=255.0,
    show_default=True,
    help="What the values 0 to 255 of a decoded image are divided by.",
)
@click.option(
    "--image-size",
    metavar="HEIGHTxWIDTH",
    default="",
    help="The size of images; by default that of the model's input.",
)
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    source: str,
    base: Path,
    version: int | None,
    image_bytes: bool,
    image_scale: float,
    image_size: str,
    output: str,
) -> None:
    """Export a Keras file, or a function's model, as a version.

    SOURCE is a .keras or .h5 file, or MODULE:FUNCTION, a function in the current directory that
    returns a Keras model or a tf.Module; its code is run. BASE is the base path, such as
    models/NAME: the version is written as BASE/NUMBER. Before it appears it is loaded as TensorFlow
    Serving does, and answers made-up inputs beside the source. This needs TensorFlow.
    """
    from cloudserve.registry import local_server

    height, width = _size(image_size)
    image = ImageInput(image_scale, height, width) if image_bytes else None
    report = local_server().export(source, base, ExportRequest(version, image))
    print_report(_report(report), output)


def _size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if text and match is None:
        raise click.BadParameter(f"`{text}` is not HEIGHTxWIDTH", param_hint="--image-size")
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _report(report: ExportReport) -> Report:
    answers = "its answers were not compared"
    if report.compared:
        bits = "with the same bits" if not report.ulp else f"within {report.ulp:,} ULP"
        answers = f"{counted(report.compared, 'batch', 'batches')} answered {bits}"
    title = (
        f"wrote {report.path}: {counted(len(report.signatures), 'signature')} "
        f"({', '.join(report.signatures)}); {answers}"
    )
    return Report(msgspec.to_builtins(report, enc_hook=str), (Table((), (), title),))
