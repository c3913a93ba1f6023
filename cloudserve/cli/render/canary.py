"""The report of a promotion by canary."""

from __future__ import annotations

from typing import Any

from cloudserve.cli.render.deployment import outcome_report
from cloudserve.cli.render.report import Report, Table
from cloudserve.release.canary.comparison import Measure
from cloudserve.release.canary.run import CanaryOutcome, Step

COLUMNS = ("STEP", "REQUESTS OF", "EVENT", "CANARY", "LIVE")


def canary_report(canary: CanaryOutcome) -> Report:
    """Render a promotion by canary: the evidence of each step, and the resulting deployment."""
    report = outcome_report(canary.outcome)
    if not canary.live:
        return report
    document = {
        **report.document,
        "canary": {"live": canary.live, "steps": [_document(step) for step in canary.steps]},
    }
    rows = [_row(step, measure) for step in canary.steps for measure in step.measures]
    title = f"compared with {canary.live}:"
    return Report(document, (*report.tables, Table(COLUMNS, rows, title)))


def _row(step: Step, measure: Measure) -> tuple[str, ...]:
    shares = (f"{c.share:.1%} of {c.requests:,}" for c in (measure.canary, measure.live))
    return (f"{step.percent} %", measure.source, measure.name, *shares)


def _document(step: Step) -> dict[str, Any]:
    return {
        "percent": step.percent,
        "requests": step.requests,
        "measures": [measure.recorded for measure in step.measures],
    }
