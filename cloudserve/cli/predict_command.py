"""`cloudserve predict`."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from cloudserve.cli.options import load, target_options


@click.command("predict")
@target_options
@click.option("--version", help="Ask this deployed version, whatever the traffic rules say.")
@click.option(
    "--input",
    "source",
    type=click.File("rb"),
    default="-",
    help='A file with the JSON request, {"instances": [...]}; standard input by default.',
)
def command(
    *,
    model: str,
    target: str,
    project_file: Path,
    settings: tuple[str, ...],
    version: str | None,
    source: BinaryIO,
) -> None:
    """Send a request to a deployed model.

    The request goes to the platform's own prediction call as it is; the answer is printed as it
    comes.
    """
    from cloudserve.predict import Client

    client = Client(load(project_file, settings), model, target, version=version)
    click.echo(client.send(source.read()))
