"""`cloudserve pull`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import Subject, progress, project_options, target_options
from cloudserve.cli.render.progress import human, showing
from cloudserve.cli.render.report import Report, Table, counted, output_option, show
from cloudserve.names import utf8


@click.command("pull")
@target_options
@click.option(
    "--version", metavar="VERSION", help="A number, revision id or digest; the live one by default."
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The directory to make.",
)
@project_options
@output_option
def command(*, subject: Subject, version: str | None, into: Path, output: str) -> None:
    """Fetch a released model's files from its bucket.

    Every file is compared with the digest it was uploaded with; the directory appears when all are
    whole, and an interrupted pull goes on where it stopped.
    """
    with showing(progress) as view:
        pulled = subject.releases(view).pull(into, version)
    files = f"{counted(pulled.files, 'file')}, {human(pulled.size)}"
    what = files if pulled.changed else "there already"
    document = {
        "model": subject.model,
        "target": subject.target,
        "revision": pulled.revision.id,
        "digest": pulled.revision.digest,
        "path": utf8(pulled.path),
        "files": pulled.files,
        "size": pulled.size,
        "changed": pulled.changed,
    }
    sentence = f"{subject.model} {pulled.revision.id} in {pulled.path}: {what}"
    show(Report(document, (Table((), (), sentence),)), output)
