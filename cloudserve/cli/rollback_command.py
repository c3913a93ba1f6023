"""`cloudserve rollback`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudserve.cli.options import releases, target_options
from cloudserve.cli.report import output_option, show


@click.command("rollback")
@target_options
@click.option("--to", help="A number, revision id or digest; the one before by default.")
@output_option
def command(
    *,
    model: str,
    target: str,
    project_file: Path,
    settings: tuple[str, ...],
    to: str | None,
    output: str,
) -> None:
    """Give the traffic back to the version before.

    The version before is the one that was live when the present one took over, as the ledger
    tells it; nothing is uploaded again.
    """
    from cloudserve.cli.deployment_report import outcome_report

    outcome = releases(model, target, project_file, settings).rollback(to)
    show(outcome_report(outcome), output)
