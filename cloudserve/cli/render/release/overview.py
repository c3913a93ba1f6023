"""Report of what runs of a project's models on its targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudserve.cli.render.release.deployment import deployment_report
from cloudserve.cli.render.report import Report, Table
from cloudserve.hints import in_environment
from cloudserve.release.inspection.overview import Standing
from cloudserve.release.traffic import ALL
from cloudserve.release.types import State

COLUMNS = ("MODEL", "TARGET", "LIVE", "TRAFFIC", "VERSIONS", "STATE")


def overview_report(standings: Sequence[Standing], environment: str = "") -> Report:
    """Render a model on a target per line; the reason of what is not well is below it.

    The commands of hints are for an environment of the project file.
    """
    rows = [_row(one) for one in standings]
    all_notes = (in_environment(_note(one), environment) for one in standings)
    notes = {number: note for number, note in enumerate(all_notes) if note}
    colours = ["" if one.is_well else "red" for one in standings]
    table = Table(COLUMNS, rows, notes=notes, colours=colours)
    return Report([_document(one) for one in standings], (table,))


def _row(standing: Standing) -> tuple[str, ...]:
    deployment = standing.deployment
    if deployment is None:
        return (standing.model, standing.target, "-", "-", "-", "unknown")
    live = deployment.live
    share = f"{deployment.traffic[live] * ALL:.0f}%" if live else "-"
    state = deployment.state.value if deployment.state else "not deployed"
    versions = str(len(deployment.revisions))
    return (standing.model, standing.target, live or "-", share, versions, state)


def _note(standing: Standing) -> str:
    if standing.error is not None:
        hint = f". To do: {standing.error.hint}" if standing.error.hint else ""
        return f"{standing.error.message}{hint}"
    deployment = standing.deployment
    is_told = deployment is not None and deployment.state is not State.READY
    return (deployment.reason or "") if deployment is not None and is_told else ""


def _document(standing: Standing) -> dict[str, Any]:
    found = standing.deployment
    error = standing.error
    return {
        "model": standing.model,
        "target": standing.target,
        "deployment": None if found is None else deployment_report(found).document,
        "error": None if error is None else error.message,
    }
