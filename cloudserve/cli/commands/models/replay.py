"""`cloudserve replay`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import project_for, project_option
from cloudserve.cli.paths import NamedPath
from cloudserve.cli.render.report import output_option, print_report

DIFFERENT = 6
"""The exit code if an answer differs."""


@click.command("replay")
@click.argument("file", type=NamedPath(dir_okay=False))
@click.option(
    "--against",
    required=True,
    metavar="SUBJECT",
    help="What is asked: a directory, a URL (http://HOST:8501/v1/models/NAME, "
    "grpc://HOST:8500/NAME), MODEL[:VERSION] of the project, or MODEL[:VERSION]@TARGET.",
)
@project_option
@output_option
def command(file: Path, *, against: str, project_file: Path, output: str) -> None:
    """Send the requests of a golden file, and compare the answers.

    A directory is served in this process, which needs `cloudserve[server]`. The command exits with
    6 if an answer differs by more than the file's tolerance. Labels are counted and decide nothing.
    """
    from cloudserve.cli.render.models.golden import replay_report
    from cloudserve.golden.file import read_golden
    from cloudserve.golden.replay import replay
    from cloudserve.golden.subject import asking

    golden = read_golden(file)
    with asking(against, project_for(against, project_file)) as ask:
        result = replay(golden, ask)
    print_report(replay_report(str(file), against, result), output)
    if result.differing:
        raise click.exceptions.Exit(DIFFERENT)
