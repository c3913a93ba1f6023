"""Report of a diagnosis: a check a row, its consequence and remedy below it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from cloudserve.cli.render.report import Report, Table
from cloudserve.doctor.result import Diagnosis, Result, Status
from cloudserve.junit import Case, junit_xml
from cloudserve.plural import counted

_COLOURS = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.FAILED: "red",
    Status.SKIPPED: "",
}


def diagnosis_report(diagnosis: Diagnosis) -> Report:
    """Render the results."""
    results = diagnosis.results
    table = Table(
        ("", "CHECK", "RESULT"),
        [(one.status.value, one.id, one.text) for one in results],
        f"{diagnosis.subject}: {_counts(diagnosis)}",
        {number: _note(one) for number, one in enumerate(results) if one.why or one.hint},
        [_COLOURS[one.status] for one in results],
    )
    return Report(_document(diagnosis), (table,))


def diagnosis_xml(diagnosis: Diagnosis, time: datetime) -> bytes:
    """Return a test suite with a case for each check; warnings are its output."""
    return junit_xml(
        f"doctor: {diagnosis.subject}", [_case(one) for one in diagnosis.results], time
    )


def _case(result: Result) -> Case:
    failure = result.text if result.status is Status.FAILED else None
    skipped = result.text if result.status is Status.SKIPPED else None
    return Case(result.id, failure, _note(result), skipped, f"{result.status}: {result.text}")


def _counts(diagnosis: Diagnosis) -> str:
    bad = {Status.FAILED: "failure", Status.WARNING: "warning"}
    found = [counted(diagnosis.count(s), noun) for s, noun in bad.items() if diagnosis.count(s)]
    return f"{', '.join(found) or 'all is well'} in {counted(len(diagnosis.results), 'check')}"


def _note(result: Result) -> str:
    todo = f"To do: {result.hint}" if result.hint else ""
    return ". ".join(filter(None, (result.why, todo)))


def _document(diagnosis: Diagnosis) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(diagnosis, enc_hook=str)
    return {**document, "healthy": diagnosis.is_healthy}
