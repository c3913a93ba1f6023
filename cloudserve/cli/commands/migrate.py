"""`cloudserve migrate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudserve.cli.options import project_option
from cloudserve.cli.render.report import Report, Table, output_option, show

if TYPE_CHECKING:
    from cloudserve.migrate import Written

COLUMNS = ("FIELD", "VALUE", "BECOMES", "VALUE", "NOTE")


@click.command("migrate")
@click.argument("target")
@click.option("--to", "name", help="The new target's name; TARGET-vertex by default.")
@click.option("--dry-run", is_flag=True, help="Show the mapping and the text, and write nothing.")
@project_option
@output_option
def command(
    *, target: str, name: str | None, dry_run: bool, project_file: Path, output: str
) -> None:
    """Write the Vertex AI target that an AI Platform one becomes.

    Google shut AI Platform Prediction down on 31 January 2025. The new target is added to the
    project file, beside the old one; what becomes of each field is shown. Nothing is deployed.
    """
    from cloudserve.migrate import migrate

    written = migrate(project_file, target, name, write=not dry_run)
    if written.changed:
        click.echo(f"wrote the target {written.name} into {written.path}; then:", err=True)
        click.echo(f"  cloudserve deploy MODEL --target {written.name}", err=True)
    else:
        click.echo(f"this would be added to {written.path}:\n\n{written.text}", err=True)
    show(_report(target, written), output)


def _report(target: str, written: Written) -> Report:
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
