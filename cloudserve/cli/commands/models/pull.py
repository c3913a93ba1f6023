"""`cloudserve pull`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import Subject, project_options, target_options
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.progress import format_bytes
from cloudserve.cli.render.report import Report, Table, output_option, print_report
from cloudserve.hints import printable
from cloudserve.plural import counted


@click.command("pull")
@target_options
@click.option(
    "--version", metavar="VERSION", help="A number, revision id or digest; by default the live one."
)
@click.option(
    "--into",
    type=NamedPath(file_okay=False),
    required=True,
    help="The directory to create.",
)
@project_options
@output_option
def command(*, subject: Subject, version: str | None, into: Path, output: str) -> None:
    """Download a released model from its bucket.

    The digest of every file is verified. The directory appears atomically, and an interrupted pull
    continues where it stopped.
    """
    pulled = subject.releases().pull(into, version)
    files = f"{counted(pulled.files, 'file')}, {format_bytes(pulled.size)}"
    what = files if pulled.changed else "already complete"
    document = {
        "model": subject.model,
        "target": subject.target,
        "revision": pulled.revision.id,
        "digest": pulled.revision.digest,
        "path": printable(pulled.path),
        "files": pulled.files,
        "size": pulled.size,
        "changed": pulled.changed,
    }
    sentence = f"{subject.model} {pulled.revision.id} in {pulled.path}: {what}"
    print_report(Report(document, (Table((), (), sentence),)), output)
