"""`cloudserve image`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from cloudserve.cli.options import print_progress
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.formats import FOR_PROGRAMS
from cloudserve.cli.render.report import output_option, print_result, print_written
from cloudserve.hints import printable
from cloudserve.images.requirements import NEWEST, TENSORFLOWS

_TAG = "REGION-docker.pkg.dev/PROJECT/REPOSITORY/cloudserve:1"
_PATH = NamedPath()
_tensorflow = click.option(
    "--tensorflow",
    default=NEWEST,
    metavar="VERSION",
    help=f"The TensorFlow of the container: {', '.join(TENSORFLOWS)}.",
)


class _FolderOrCommand(click.Group):
    """A group whose first argument is a folder for `write` unless it names a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert `write` in front of a folder, an option of `write`, or nothing."""
        if not {*args[:1]} & {*self.commands, "--help", "-h"}:
            args = ["write", *args]
        return super().parse_args(ctx, args)


@click.group("image", cls=_FolderOrCommand)
def command() -> None:
    """Write a Dockerfile for a Vertex AI container, or build it without Docker.

    `cloudserve image [FOLDER]` is `cloudserve image write [FOLDER]`.
    """


@command.command("write")
@click.argument("folder", type=_PATH, default=Path("image"))
@_tensorflow
@output_option
def write(*, folder: Path, tensorflow: str, output: str) -> None:
    """Write a Dockerfile and the files that it copies.

    Creates FOLDER (by default `image`) with a Dockerfile, a wheel of this cloudserve, the
    packages that it was tested with (requirements.txt), a list for more packages (packages.txt)
    and the script that the container runs: `cloudserve serve --as vertex`. Use the container in a
    target with `image`.
    """
    from cloudserve.images.dockerfile import write_image

    paths = write_image(folder, tensorflow)
    for path in paths:
        print_progress(f"wrote {path}")
    print_progress("build and push it, with Docker or with Cloud Build:")
    print_progress(f"  docker build --platform linux/amd64 --tag {_TAG} {folder}")
    print_progress(f"  docker push {_TAG}")
    print_progress(f"  gcloud builds submit --tag {_TAG} {folder}")
    print_progress('then set in the target: `image:` to that tag, and `args: ""`')
    print_written({"path": printable(folder), "files": [path.name for path in paths]}, output)


@command.command("build")
@click.option(
    "--push",
    "name",
    metavar="REGISTRY/NAME[:TAG]",
    help="Upload the image. An existing `latest` is replaced only if TAG names it.",
)
@click.option("--out", type=_PATH, help="Write the image into a directory, as an OCI layout.")
@click.option(
    "--base",
    metavar="IMAGE",
    help="The base image, with Python 3.11 to 3.13; name it with its @sha256 digest to build the "
    "same image again.  [default: python:3.12-slim-bookworm]",
)
@click.option("--model", type=_PATH, help="A SavedModel or base path to copy into the image.")
@_tensorflow
@output_option
def build_command(
    *,
    name: str | None,
    out: Path | None,
    base: str | None,
    model: Path | None,
    tensorflow: str,
    output: str,
) -> None:
    """Build the container without Docker, and upload it.

    Downloads the locked packages for Linux on x86-64 with pip, and copies the base image's layers
    between the registries. Equal inputs give an equal image. Credentials are those of `docker
    login` and its credential helpers, or CLOUDSERVE_REGISTRY_USER and
    CLOUDSERVE_REGISTRY_PASSWORD for the registry of --push. Prints the image's name with its
    digest.
    """
    from cloudserve.images.oci.build import DEFAULT_BASE, Recipe, build, push, save
    from cloudserve.images.oci.references import parse_reference

    if not name and not out:
        raise click.UsageError("name --push or --out")
    environ = dict(os.environ)
    target = parse_reference(name, "--push") if name else None
    source = parse_reference(base or DEFAULT_BASE, "--base")
    with tempfile.TemporaryDirectory(prefix="cloudserve-image-") as folder:
        recipe = Recipe(source, tensorflow, model, environ, print_progress)
        image = build(recipe, Path(folder))
        if out:
            save(image, out)
            print_progress(f"wrote {out}")
        pushed = push(image, target, environ, print_progress) if target else None
    document = {"image": pushed, "digest": image.digest, "path": printable(out) if out else None}
    if output in FOR_PROGRAMS:
        print_written(document, output)
    else:
        print_result(pushed or image.digest)
