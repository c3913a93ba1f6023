"""`cloudserve plan`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import Number, Subject, project_options, target_options
from cloudserve.cli.render.report import output_option, show

PENDING = 10
"""The exit code of `--exit-code` where something is to do."""


@click.command("plan")
@click.argument(
    "operation",
    type=click.Choice(["deploy", "promote", "rollback", "undeploy"]),
    metavar="OPERATION",
)
@target_options
@click.option(
    "--version", metavar="VERSION", help="The version to deploy, promote, go back to or undeploy."
)
@click.option(
    "--percent",
    type=Number(1, 100),
    default=100,
    show_default=True,
    help="The share of the traffic that a promotion is for.",
)
@click.option(
    "--all", "everything", is_flag=True, help="Undeploy the model as a whole, with its endpoint."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the plan to a file, for `cloudserve apply`.",
)
@click.option("--exit-code", is_flag=True, help=f"Exit with {PENDING} when something is to do.")
@project_options
@output_option
def command(  # noqa: PLR0913 - a parameter an option
    *,
    operation: str,
    subject: Subject,
    version: str | None,
    percent: int,
    everything: bool,
    out: Path | None,
    exit_code: bool,
    output: str,
) -> None:
    """Show what a release would do, and do nothing.

    OPERATION is deploy, promote, rollback or undeploy. With --out the plan is kept in a file that
    can be reviewed; `cloudserve apply` then does what it says, or refuses when something changed
    since.
    """
    from cloudserve.cli.render.plan import plan_report
    from cloudserve.release.planning.plan_file import write_plan

    made = subject.releases().plan(operation, version, percent, everything=everything)
    if out is not None:
        write_plan(made, out)
        click.echo(f"wrote {out}; to do it:\n  cloudserve apply {out}", err=True)
    show(plan_report(made), output)
    if exit_code and made.actions:
        raise click.exceptions.Exit(PENDING)
