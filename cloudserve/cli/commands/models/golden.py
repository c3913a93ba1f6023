"""`cloudserve golden`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import Decimal, Number, print_progress, project_for, project_option
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import output_option, print_report, print_written
from cloudserve.hints import printable
from cloudserve.plural import counted

_FILE = NamedPath(dir_okay=False)


@click.group("golden")
def command() -> None:
    """Record, show and trim golden files of requests and answers.

    A golden file is what the gate `golden` of a target and `cloudserve replay` compare answers
    with.
    """


@command.command("record")
@click.argument("requests", type=_FILE)
@click.option(
    "--from",
    "subject",
    required=True,
    metavar="SUBJECT",
    help="What answers: a directory, a URL (http://HOST:8501/v1/models/NAME, "
    "grpc://HOST:8500/NAME), MODEL[:VERSION] of the project, or MODEL[:VERSION]@TARGET.",
)
@click.option("--out", type=_FILE, required=True, help="The golden file to write.")
@click.option("--absolute", type=Decimal(0), default=0.0, help="The absolute tolerance.")
@click.option("--relative", type=Decimal(0), default=0.0, help="The relative tolerance.")
@click.option("--ulp", type=Number(min=0), default=0, help="The tolerance in steps of the dtype.")
@project_option
@output_option
def record_command(  # noqa: PLR0913 - one parameter per option
    requests: Path,
    *,
    subject: str,
    out: Path,
    absolute: float,
    relative: float,
    ulp: int,
    project_file: Path,
    output: str,
) -> None:
    """Send requests, and write them with their answers to a golden file.

    REQUESTS has one JSON request on each line, such as {"instances": [[1.0, 2.0]]}, or is a golden
    file, such as one that a server recorded. A number is as recorded if it is within one of the
    tolerances.
    """
    from dataclasses import replace

    from cloudserve.golden.file import Header, Tolerance, check_golden, write_golden
    from cloudserve.golden.replay import record
    from cloudserve.golden.requests import read_requests
    from cloudserve.golden.subject import asking

    check_golden(out)
    header = Header(source=subject, tolerance=Tolerance(absolute, relative, ulp))
    bodies = read_requests(requests)
    with asking(subject, project_for(subject, project_file)) as ask:
        golden = record(bodies, ask, header)
    # Requests that only their owner may read stay so.
    write_golden(replace(golden, mode=requests.stat().st_mode & 0o666), out)
    print_progress(f"wrote {out}: {counted(len(golden.examples), 'request')} with answers")
    print_written({"path": printable(out), "examples": len(golden.examples)}, output)


@command.command("show")
@click.argument("file", type=_FILE)
@output_option
def show_command(file: Path, *, output: str) -> None:
    """Show the header and the examples of a golden file."""
    from cloudserve.cli.render.models.golden import golden_report
    from cloudserve.golden.file import read_golden

    print_report(golden_report(str(file), read_golden(file)), output)


@command.command("trim")
@click.argument("file", type=_FILE)
@click.option("--most", type=Number(min=1), required=True, help="The number of examples to keep.")
@click.option("--out", type=_FILE, help="The file to write; by default FILE itself.")
@output_option
def trim_command(file: Path, *, most: int, out: Path | None, output: str) -> None:
    """Keep the first examples of a golden file."""
    from cloudserve.golden.file import read_golden, write_golden
    from cloudserve.golden.replay import trim

    golden = read_golden(file)
    write_golden(trim(golden, most), out or file)
    kept = min(most, len(golden.examples))
    print_progress(f"wrote {out or file}: {kept} of {counted(len(golden.examples), 'example')}")
    print_written({"path": printable(out or file), "examples": kept}, output)


@command.command("warmup")
@click.argument("file", type=_FILE)
@click.option(
    "--out",
    type=_FILE,
    required=True,
    help="The file to write: MODEL/assets.extra/tf_serving_warmup_requests.",
)
@output_option
def warmup_command(file: Path, *, out: Path, output: str) -> None:
    """Write the requests of a golden file as a model's warm-up requests.

    A server answers them before it serves the version: `cloudserve serve`, `model-server` and
    TensorFlow Serving read the file. It is one of the model's files, so the digest changes.
    """
    from cloudserve.golden.warmup import write_warmup

    count = write_warmup(file, out)
    print_progress(f"wrote {out}: {counted(count, 'warm-up request')}")
    print_written({"path": printable(out), "requests": count}, output)
