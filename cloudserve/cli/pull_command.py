"""`cloudserve pull`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import Subject, progress, target_options
from cloudserve.cli.progress import human, showing


@click.command("pull")
@target_options
@click.option("--revision", help="A number, a revision id or a digest's beginning.")
@click.option(
    "--output",
    "-o",
    "into",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The directory to make.",
)
def command(
    *,
    subject: Subject,
    revision: str | None,
    into: Path,
) -> None:
    """Fetch a released model's files from its bucket.

    The live revision is taken unless --revision names one. Every file is compared with the digest
    it was uploaded with; the directory appears when all are whole, and an interrupted pull goes on
    where it stopped.
    """
    with showing(progress) as view:
        pulled = subject.releases(view).pull(into, revision)
    what = f"{pulled.files} files, {human(pulled.size)}" if pulled.changed else "there already"
    click.echo(f"{subject.model} {pulled.revision.id} in {pulled.path}: {what}")
