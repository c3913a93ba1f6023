"""`cloudserve init`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import print_progress
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import output_option, print_written
from cloudserve.hints import printable
from cloudserve.scaffold import TARGETS, TARGETS_BY_DEFAULT


@click.command("init")
@click.argument("folder", type=NamedPath(file_okay=False), default=Path())
@click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    type=click.Choice(TARGETS),
    default=TARGETS_BY_DEFAULT,
    help="A target to write: Vertex AI, SageMaker, or the legacy AI Platform; can be repeated.",
)
@click.option("--force", is_flag=True, help="Replace an existing cloudserve.yaml.")
@output_option
def command(*, folder: Path, targets: tuple[str, ...], force: bool, output: str) -> None:
    """Write a cloudserve.yaml for the models in a folder.

    Searches for SavedModels in FOLDER (by default the current folder) and three levels below it.
    """
    from cloudserve.scaffold import write_project

    path, models = write_project(folder, targets=targets, force=force)
    for model in models:
        print_progress(f"found {model.name}: {model.path}")
    name = models[0].name
    steps = {
        f"cloudserve inspect {name}": "show its inputs and outputs",
        "cloudserve emulate": "start the offline clouds",
        f"cloudserve deploy {name} --target {targets[0]}": "once the file has your names",
    }
    width = max(map(len, steps))
    print_progress(f"wrote {path}; next:")
    for step, what in steps.items():
        print_progress(f"  {step:{width}}  # {what}")
    found = [{"name": model.name, "path": printable(model.path)} for model in models]
    print_written({"path": printable(path), "models": found, "targets": targets}, output)
