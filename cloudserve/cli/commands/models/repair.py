"""`cloudserve repair`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from cloudserve.cli.model_argument import locate, pairs, split_tags, tags_option
from cloudserve.cli.options import VersionNumber, names_of, project_option
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import Report, Table, output_option, print_report
from cloudserve.local.model_repair import RepairReport, RepairRequest
from cloudserve.plural import counted


@click.command("repair")
@click.argument("model", shell_complete=names_of("models"))
@click.argument("out", type=NamedPath())
@click.option("--version", type=VersionNumber(), help="The version; by default the highest.")
@tags_option
@click.option(
    "--signature",
    "signatures",
    multiple=True,
    metavar="NEW=OLD",
    help="Add the signature NEW, a copy of OLD. Can be repeated.",
)
@click.option(
    "--clear-devices", is_flag=True, help="Remove the devices that the graph was placed on."
)
@click.option(
    "--rename-input",
    "inputs",
    multiple=True,
    metavar="NEW=OLD",
    help="Rename an input in all signatures that predict. Can be repeated.",
)
@click.option(
    "--rename-output",
    "outputs",
    multiple=True,
    metavar="NEW=OLD",
    help="Rename an output in all signatures that predict. Can be repeated.",
)
@click.option("--prune", is_flag=True, help="Remove the nodes that only training needs.")
@click.option(
    "--freeze", is_flag=True, help="Make the variables constants. This needs TensorFlow's Python."
)
@project_option
@output_option
def command(  # noqa: PLR0913 - one parameter per option
    *,
    model: str,
    out: Path,
    version: int | None,
    tags: str | None,
    signatures: tuple[str, ...],
    clear_devices: bool,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    prune: bool,
    freeze: bool,
    project_file: Path,
    output: str,
) -> None:
    """Write a copy of a SavedModel that TensorFlow Serving can answer with.

    OUT is the copy, such as models/NAME/2; it must not exist, and MODEL is not changed. The copy
    has the variables of a Keras 3 model that tf.saved_model.save wrote where TensorFlow Serving
    restores them, and the signature serving_default if there is only one. Before it appears, both
    models answer the same requests, made up from the signatures, and the bits are compared.
    """
    from cloudserve.registry import local_server
    from cloudserve.storage.model_source import ModelSource, named_by_url

    located = locate(model, project_file)
    _, folder = ModelSource(located).resolve(version)
    chosen = split_tags(tags, located.tags)
    request = RepairRequest(
        chosen,
        pairs(signatures, "--signature"),
        clear_devices,
        prune,
        freeze,
        pairs(inputs, "--rename-input"),
        pairs(outputs, "--rename-output"),
    )
    with named_by_url(located, folder):
        report = local_server().repair(folder, out, request)
    print_report(_report(report), output)


def _report(report: RepairReport) -> Report:
    proof = f"not compared: {report.uncompared}"
    bits = f"within {report.ulp:,} ULP" if report.ulp else "with the same bits"
    if report.compared:
        proof = f"{counted(report.compared, 'request')} answered {bits}"
    lines = "\n".join(f"  {line}" for line in (*report.changes, proof))
    document = msgspec.to_builtins(report, enc_hook=str)
    return Report(document, (Table((), (), f"wrote {report.path}\n{lines}"),))
