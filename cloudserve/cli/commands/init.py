"""`cloudserve init`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.scaffold import TARGETS, TARGETS_BY_DEFAULT


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    type=click.Choice(TARGETS),
    default=TARGETS_BY_DEFAULT,
    show_default=True,
    help="A target to write (may be repeated): Vertex AI, SageMaker, or the legacy AI Platform.",
)
@click.option("--force", is_flag=True, help="Replace a cloudserve.yaml that is there.")
def command(*, folder: Path, targets: tuple[str, ...], force: bool) -> None:
    """Write a cloudserve.yaml for the models found here.

    SavedModels are looked for in FOLDER (the present one by default) and three levels below it.
    """
    from cloudserve.scaffold import write_project

    path, models = write_project(folder, targets=targets, force=force)
    for model in models:
        click.echo(f"found {model.name}: {model.path}", err=True)
    name = models[0].name
    steps = {
        f"cloudserve inspect {name}": "what the model takes and gives",
        "cloudserve emulate": "offline clouds, to rehearse on",
        f"cloudserve deploy {name} --target {targets[0]}": "with your own names in the file",
    }
    width = max(map(len, steps))
    click.echo(f"wrote {path}; next:", err=True)
    for step, what in steps.items():
        click.echo(f"  {step:{width}}  # {what}", err=True)
