"""Report of one run of a model: its outputs."""

from __future__ import annotations

from cloudserve.cli.render.report import Report, Table
from cloudserve.local.model_run import RunResult


def run_report(result: RunResult) -> Report:
    """Render the outputs, the values of each below its name and type."""
    load, run = result.load_seconds * 1000, result.run_seconds * 1000
    title = f"signature {result.signature}: loaded in {load:,.0f} ms, ran in {run:,.1f} ms"
    tables = [
        Table((f"{output.alias}  {output.type}",), [(line,) for line in output.values.splitlines()])
        for output in result.outputs
    ]
    return Report(None, (Table((), (), title), *tables))
