"""`cloudserve image`."""

from __future__ import annotations

from pathlib import Path

import click

_TAG = "REGION-docker.pkg.dev/PROJECT/REPOSITORY/cloudserve:1"


@click.command("image")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("image"))
def command(*, folder: Path) -> None:
    """Write a Dockerfile for a Vertex AI container.

    Creates FOLDER (by default `image`) with a Dockerfile, the script that the container runs, and
    requirements.txt. The container runs `cloudserve serve --as vertex`; use it in a target with
    `image`.
    """
    from cloudserve.images.dockerfile import write_image

    for path in write_image(folder):
        click.echo(f"wrote {path}", err=True)
    click.echo("build and push it, with Docker or with Cloud Build:", err=True)
    click.echo(f"  docker build --platform linux/amd64 --tag {_TAG} {folder}", err=True)
    click.echo(f"  docker push {_TAG}", err=True)
    click.echo(f"  gcloud builds submit --tag {_TAG} {folder}", err=True)
    click.echo('then set in the target: `image:` to that tag, and `args: ""`', err=True)
