"""`cloudserve image`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.images.requirements import NEWEST, TENSORFLOWS

_TAG = "REGION-docker.pkg.dev/PROJECT/REPOSITORY/cloudserve:1"


@click.command("image")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("image"))
@click.option(
    "--tensorflow",
    default=NEWEST,
    metavar="VERSION",
    show_default=True,
    help=f"The TensorFlow of the container: {', '.join(TENSORFLOWS)}.",
)
def command(*, folder: Path, tensorflow: str) -> None:
    """Write a Dockerfile for a Vertex AI container.

    Creates FOLDER (by default `image`) with a Dockerfile, a wheel of this cloudserve, the
    packages that it was tested with (requirements.txt), a list for more packages (packages.txt)
    and the script that the container runs: `cloudserve serve --as vertex`. Use the container in a
    target with `image`.
    """
    from cloudserve.images.dockerfile import write_image

    for path in write_image(folder, tensorflow):
        click.echo(f"wrote {path}", err=True)
    click.echo("build and push it, with Docker or with Cloud Build:", err=True)
    click.echo(f"  docker build --platform linux/amd64 --tag {_TAG} {folder}", err=True)
    click.echo(f"  docker push {_TAG}", err=True)
    click.echo(f"  gcloud builds submit --tag {_TAG} {folder}", err=True)
    click.echo('then set in the target: `image:` to that tag, and `args: ""`', err=True)
