"""Report of a model's check: one finding a row, its reason and remedy below it."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudserve.check.finding import CheckReport, Finding, Severity
from cloudserve.cli.render.report import Report, Table
from cloudserve.hints import printable
from cloudserve.plural import counted

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: ""}


def check_report(report: CheckReport) -> Report:
    """Render the findings."""
    title = f"{printable(report.where)}: {counts(report)}"
    findings = report.findings
    table = Table(
        ("", "RULE", "SIGNATURE"),
        [(one.severity, one.rule, one.signature or "-") for one in findings],
        title,
        {number: _note(one) for number, one in enumerate(findings)},
        [_COLOURS[one.severity] for one in findings],
    )
    unchecked = [Table((), (), f"unchecked: {text}") for text in report.unchecked]
    return Report(_document(report), (table, *unchecked))


def counts(report: CheckReport) -> str:
    """Return the number of findings of each severity, and of the rules."""
    numbers = [counted(report.count(one), one) for one in Severity if report.count(one)]
    return f"{', '.join(numbers) or 'nothing found'} by {counted(len(report.rules), 'rule')}"


def _note(finding: Finding) -> str:
    return f"{finding.text}: {finding.why}. To do: {finding.hint}"


def _document(report: CheckReport) -> dict[str, Any]:
    document = msgspec.to_builtins(report, enc_hook=str)
    del document["url"]  # it is the path of such a model
    return {**document, "path": report.where, "servable": report.is_servable}
