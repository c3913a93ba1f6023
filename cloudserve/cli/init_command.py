"""`cloudserve init`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--force", is_flag=True, help="Replace a cloudserve.yaml that is there.")
def command(*, folder: Path, force: bool) -> None:
    """Write a cloudserve.yaml for the models found here.

    SavedModels are looked for in FOLDER (the present one by default) and three levels below it.
    """
    from cloudserve.scaffold import write_project

    path, models = write_project(folder, force=force)
    for model in models:
        click.echo(f"found {model.name}: {model.path}", err=True)
    click.echo(f"wrote {path}; put your buckets and projects in, then:", err=True)
    click.echo(f"  cloudserve inspect {models[0].name}", err=True)
    click.echo(f"  cloudserve deploy {models[0].name} --target gcp", err=True)
