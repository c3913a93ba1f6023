"""`cloudserve predict`."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import click

from cloudserve.cli.consent import announce
from cloudserve.cli.options import Subject, project_options, target_options
from cloudserve.cli.render.report import Report, Table, output_like, print_report, print_result


@click.command("predict")
@target_options
@click.option(
    "--version",
    metavar="VERSION",
    help="Send the request to this deployed version, regardless of the traffic split.",
)
@click.option(
    "--input",
    "source",
    type=click.File("rb"),
    metavar="FILE",
    default="-",
    show_default=False,
    help='A file with the JSON request, {"instances": [...]}; by default standard input.',
)
@project_options
@output_like("json")
def command(
    *,
    subject: Subject,
    version: str | None,
    source: BinaryIO,
    output: str,
) -> None:
    """Send a request to a deployed model.

    The request is sent unchanged to the platform's prediction API, and the response is printed
    unchanged. `--output table` prints one line per prediction.
    """
    from cloudserve.client import Client
    from cloudserve.client.raw import predictions_of

    client = Client(subject.project(), subject.model, subject.target, version=version)
    announce(client.destination)
    if source.isatty():
        click.echo("reading the request from the terminal; end it with Ctrl-D", err=True)
    answer = client.send(source.read())
    if output == "json":
        print_result(answer)
    else:
        print_report(Report(None, (_table(predictions_of(answer, client.where)),)), output)


def _table(predictions: list[Any]) -> Table:
    named = [p if isinstance(p, dict) else {"PREDICTION": p} for p in predictions]
    columns = tuple(dict.fromkeys(name for prediction in named for name in prediction))
    rows = [tuple(_cell(prediction.get(name)) for name in columns) for prediction in named]
    return Table(columns, rows)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
