"""Reports of `diff`: the differences between two models, the drift of several on one target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cloudserve.cli.last_known import since_line
from cloudserve.cli.render.report import Report, Table
from cloudserve.plural import counted
from cloudserve.release.inspection.diff import Compared, Comparison
from cloudserve.release.inspection.drift import DriftReport
from cloudserve.savedmodel import Effect

COLUMNS = ("EFFECT", "SIGNATURE", "DIFFERENCE")
VERDICTS = {
    Effect.NONE: "compatible",
    Effect.SOME: "compatible for some requests",
    Effect.ALL: "breaking",
}
EFFECTS = {Effect.NONE: "none", Effect.SOME: "some requests", Effect.ALL: "all requests"}
"""The requests of the first model's clients that a difference breaks."""


def difference_report(comparison: Comparison) -> Report:
    """Render a comparison: one line per difference, then the requests that are still answered."""
    contract = comparison.contract
    count = (
        counted(len(contract.differences), "difference")
        if contract.differences
        else "no differences"
    )
    title = (
        f"{comparison.live.name} -> {comparison.new.name}: {VERDICTS[contract.verdict]}, {count}"
    )
    rows = [(EFFECTS[one.effect], one.signature, one.text) for one in contract.differences]
    tables = [Table(COLUMNS, rows, title)]
    if contract.verdict is Effect.SOME:
        tables.append(Table(("ANSWERED AS BEFORE",), [(line,) for line in contract.answered]))
    return Report(_document(comparison), tuple(tables))


def _document(comparison: Comparison) -> dict[str, Any]:
    contract = comparison.contract
    return {
        "live": _side(comparison.live),
        "new": _side(comparison.new),
        "verdict": contract.verdict,
        "differences": contract.differences,
        "answered": contract.answered,
    }


def _side(side: Compared) -> dict[str, Any]:
    return {
        "name": side.name,
        "place": side.place,
        "classes": [
            {"signature": one.signature, "output": one.output, "classes": len(one.classes)}
            for one in side.interface.vocabularies
        ],
    }


DRIFT_COLUMNS = ("WHAT", "PROJECT", "LEDGER", "PLATFORM")


def drift_report(reports: Sequence[DriftReport]) -> Report:
    """Render drifts, one line per difference."""
    models = [_drift_document(each) for each in reports]
    document = {"equal": not any(each.drifts for each in reports), "models": models}
    return Report(document, tuple(map(_drift_table, reports)))


def _drift_document(report: DriftReport) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(report)
    as_of = document.pop("as_of")
    return document | {"equal": not report.drifts, "asOf": as_of}


def _drift_table(report: DriftReport) -> Table:
    count = counted(len(report.drifts), "difference") if report.drifts else "no differences"
    title = f"{report.model} on {report.target}: {count}"
    since = [since_line(report.as_of)] if report.as_of is not None else []
    title = "\n".join([*since, *(f"note: {note}" for note in report.notes), title])
    rows = [(drift.what, drift.project, drift.ledger, drift.platform) for drift in report.drifts]
    return Table(DRIFT_COLUMNS, rows, title)
