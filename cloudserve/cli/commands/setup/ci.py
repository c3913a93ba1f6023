"""`cloudserve ci`."""

from __future__ import annotations

import click

from cloudserve.cli.options import Subject, print_progress, project_options, target_options
from cloudserve.cli.render.report import output_option, print_written
from cloudserve.hints import printable
from cloudserve.scaffold import SYSTEMS


@click.group("ci")
def command() -> None:
    """Write the pipeline of a CI system."""


@command.command("init")
@click.argument("system", type=click.Choice(SYSTEMS))
@target_options
@click.option("--force", is_flag=True, help="Replace an existing file.")
@project_options
@output_option
def init_command(*, subject: Subject, system: str, force: bool, output: str) -> None:
    """Write a pipeline that rehearses and releases MODEL.

    A push rehearses the release on offline clouds, a pull request shows its plan, the main branch
    deploys the version and promotes it after an approval, and a job by hand rolls back. Jobs get
    the cloud's identity from the CI system; no key is stored.
    """
    from cloudserve.scaffold import write_pipeline

    project = subject.project()
    path = write_pipeline(system, project, subject.model, subject.target, force=force)
    print_progress(f"wrote {path}; its first lines say what to set up")
    print_written({"path": printable(path), "system": system}, output)
