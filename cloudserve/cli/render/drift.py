"""Report of the drift of several models on one target."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloudserve.cli.render.report import Report, Table
from cloudserve.plural import counted
from cloudserve.release.drift import DriftReport

COLUMNS = ("WHAT", "PROJECT", "LEDGER", "PLATFORM")


def drift_report(found: Sequence[DriftReport]) -> Report:
    """Render drifts, one line per difference."""
    models = [msgspec.to_builtins(each) | {"equal": not each.drifts} for each in found]
    document = {"equal": not any(each.drifts for each in found), "models": models}
    return Report(document, tuple(map(_table, found)))


def _table(found: DriftReport) -> Table:
    count = counted(len(found.drifts), "difference") if found.drifts else "no differences"
    title = f"{found.model} on {found.target}: {count}"
    title = "\n".join([*(f"note: {note}" for note in found.notes), title])
    rows = [(drift.what, drift.project, drift.ledger, drift.platform) for drift in found.drifts]
    return Table(COLUMNS, rows, title)
