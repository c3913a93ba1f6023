"""`cloudserve doctor`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from cloudserve.cli.exits import Exit
from cloudserve.cli.options import load, project_options, target_option_for
from cloudserve.cli.render.report import JUNIT, output_like, print_report, print_result


@click.command("doctor")
@target_option_for("A target of the project file, whose account is checked too.")
@project_options
@output_like("table", JUNIT)
def command(
    *, target: str | None, project_file: Path, settings: tuple[str, ...], output: str
) -> None:
    """Check this machine, the project, and a target's account, and say what to do.

    Packages, memory, disk and ports; the models and targets of the project file, if there is one;
    with --target the caller, the clock, the bucket, the endpoints, and what the platform's adapter
    checks beside them. Nothing is changed. Exits with 6 if a check fails.
    """
    from cloudserve.cli.render.diagnosis import diagnosis_report, diagnosis_xml
    from cloudserve.doctor.diagnose import diagnose

    exists = project_file.exists() or bool(target)
    read = partial(load, project_file, settings) if exists else None
    diagnosis = diagnose(read, target or "")
    if output == JUNIT:
        print_result(diagnosis_xml(diagnosis, datetime.now(UTC)))
    else:
        print_report(diagnosis_report(diagnosis), output)
    if not diagnosis.is_healthy:
        click.get_current_context().exit(Exit.CHECK)
