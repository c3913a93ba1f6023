"""Findings as JUnit XML: each rule is a test case, and fails for an error."""

from __future__ import annotations

from datetime import datetime

from cloudserve.check.finding import CheckReport, Finding, Severity
from cloudserve.junit import Case, junit_xml


def findings_xml(report: CheckReport, time: datetime) -> bytes:
    """Return a test suite with a case for each rule; warnings and notes are its output."""
    cases = [_case(rule, report) for rule in report.rules]
    return junit_xml(f"check {report.where}", cases, time)


def _case(rule: str, report: CheckReport) -> Case:
    findings = [one for one in report.findings if one.rule == rule]
    errors = [one for one in findings if one.severity is Severity.ERROR]
    lines = "\n".join(f"{one.severity}: {_line(one)}" for one in findings)
    return Case(f"rule {rule}", _line(errors[0]) if errors else None, lines, output=lines)


def _line(finding: Finding) -> str:
    place = f"signature {finding.signature}: " if finding.signature else ""
    return f"{place}{finding.text}; {finding.why}; {finding.hint}"
