"""`cloudserve logs`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from cloudserve.cli.consent import announce
from cloudserve.cli.durations import PastTime
from cloudserve.cli.options import Number, Subject, print_progress, project_options, target_options
from cloudserve.cli.render.formats import FOR_PROGRAMS, YAML, encoded
from cloudserve.cli.render.report import GITHUB, print_result
from cloudserve.hints import without_controls
from cloudserve.plural import counted

if TYPE_CHECKING:
    from cloudserve.logs.contract import LogLine

SECONDS = 2.0
"""Between two readings of a log that is followed."""


@click.command("logs")
@target_options
@click.option("--follow", "-f", is_flag=True, help="Show new lines until Ctrl-C.")
@click.option(
    "--since",
    type=PastTime(),
    default="1h",
    metavar="TIME",
    help="Lines of the last so many seconds, minutes, hours or days (`90s`, `10m`, `2h`, `3d`), "
    "or since an ISO 8601 time.",
)
@click.option(
    "--tail",
    type=Number(min=1),
    metavar="N",
    default=100,
    help="At most so many of the last lines before the present.",
)
@click.option("--grep", metavar="TEXT", default="", help="Only lines that have this text.")
@click.option("--job", metavar="NAME", default="", help="The lines of a batch job.")
@project_options
@click.option(
    "--output",
    "-o",
    type=click.Choice(["text", *FOR_PROGRAMS, "table", GITHUB]),
    default="text",
    metavar="FORMAT",
    envvar="CLOUDSERVE_OUTPUT",
    show_envvar=True,
    help="The format of the lines: text (also named table and github), json or ndjson (an object "
    "per line), yaml (an item of a list for each line).",
)
def command(  # noqa: PLR0913 - one parameter per option
    *,
    subject: Subject,
    follow: bool,
    since: datetime,
    tail: int,
    grep: str,
    job: str,
    output: str,
) -> None:
    """Show what the containers of a model, or of a batch job, printed.

    The lines come from the platform's log service: CloudWatch Logs for SageMaker, Cloud Logging for
    Vertex AI. The offline clouds have both.
    """
    from cloudserve.logs.contract import LogQuery
    from cloudserve.logs.reading import follow as follow_log
    from cloudserve.logs.reading import open_logs

    read = open_logs(subject.project(), subject.model, subject.target, announce=announce)
    render = _text if output not in FOR_PROGRAMS else _yaml if output == YAML else _json
    query = LogQuery(since, grep, job)
    if follow:
        stopped = threading.Event()
        _print_all(follow_log(read, query, lambda: not stopped.wait(SECONDS), tail), render)
        return
    lines = read(query)
    _print_all(lines[-tail:], render)
    _explain(lines, tail, since)


def _explain(lines: Sequence[LogLine], tail: int, since: datetime) -> None:
    """Print on stderr what is not shown."""
    start = since.astimezone().strftime("%Y-%m-%d %H:%M")
    if not lines:
        print_progress(f"nothing was logged since {start}: --since 1d looks further back")
    elif len(lines) > tail:
        earlier = counted(len(lines) - tail, "earlier line")
        print_progress(f"{earlier} since {start}: --tail {len(lines)} shows them")


def _print_all(lines: Iterable[LogLine], render: Callable[[LogLine], str]) -> None:
    for line in lines:
        print_result(render(line))


def _text(line: LogLine) -> str:
    time = line.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    severity = f" {line.severity}" if line.severity else ""
    return without_controls(f"{time}  {line.source}{severity}  {line.text}")


def _yaml(line: LogLine) -> str:
    return encoded([line], YAML).decode()


def _json(line: LogLine) -> str:
    import msgspec

    return msgspec.json.encode(line).decode()
