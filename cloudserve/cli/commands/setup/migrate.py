"""`cloudserve migrate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudserve.cli.options import print_progress, project_option
from cloudserve.cli.render.report import Report, Table, output_option, print_report

if TYPE_CHECKING:
    from cloudserve.project.migrate import MigratedTarget

COLUMNS = ("FIELD", "VALUE", "BECOMES", "VALUE", "NOTE")


@click.command("migrate")
@click.argument("target")
@click.option("--to", "name", help="The name of the new target; by default TARGET-vertex.")
@click.option("--dry-run", is_flag=True, help="Show the mapping and the text without writing them.")
@project_option
@output_option
def command(
    *, target: str, name: str | None, dry_run: bool, project_file: Path, output: str
) -> None:
    """Convert an AI Platform target to a Vertex AI target.

    Google shut AI Platform Prediction down on 31 January 2025. The new target is added to the
    project file beside the old one, and the mapping of each field is shown. Nothing is deployed.
    """
    from cloudserve.project.migrate import migrate

    written = migrate(project_file, target, name, write=not dry_run)
    if written.changed:
        print_progress(f"wrote the target {written.name} to {written.path}; next:")
        print_progress(f"  cloudserve deploy MODEL --target {written.name}")
    else:
        click.echo(f"this would be added to {written.path}:\n\n{written.text}", err=True)
    print_report(_report(target, written), output)


def _report(target: str, written: MigratedTarget) -> Report:
    mapped = written.migration.mapped
    rows = [
        (m.field, _text(m.value), m.to or "-", _text(m.becomes) if m.to else "-", m.note)
        for m in mapped
    ]
    document = {
        "target": written.name,
        "provider": written.migration.provider,
        "written": written.changed,
        "fields": written.migration.fields,
        "mapping": mapped,
    }
    title = f"{target} -> {written.name}, provider {written.migration.provider}"
    return Report(document, (Table(COLUMNS, rows, title),))


def _text(value: Any) -> str:
    if value is None:
        return "(default)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
