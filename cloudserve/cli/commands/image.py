"""`cloudserve image`."""

from __future__ import annotations

from pathlib import Path

import click

_TAG = "REGION-docker.pkg.dev/PROJECT/REPOSITORY/cloudserve:1"


@click.command("image")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("image"))
def command(*, folder: Path) -> None:
    """Write a Dockerfile for a container on Vertex AI.

    FOLDER (`image` by default) gets a Dockerfile, the script that the container runs, and
    requirements.txt. The container serves what a target with `image` deploys, by `cloudserve serve
    --as vertex`.
    """
    from cloudserve.image import write_image

    for path in write_image(folder):
        click.echo(f"wrote {path}", err=True)
    click.echo("build and push it, with Docker or on Google's machines:", err=True)
    click.echo(f"  docker build --platform linux/amd64 --tag {_TAG} {folder}", err=True)
    click.echo(f"  docker push {_TAG}", err=True)
    click.echo(f"  gcloud builds submit --tag {_TAG} {folder}", err=True)
    click.echo('then, in the target: image: that tag, and args: ""', err=True)
