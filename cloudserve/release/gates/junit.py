"""The verdicts of a release's gates as JUnit XML, which CI systems show as test cases.

Source: the schema of Jenkins' xunit plugin (junit-10.xsd); GitLab documentation, "Unit test
reports"; CodeBuild user guide, "Test reports".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

import msgspec

from cloudserve.release.types import Plan
from cloudserve.release.verdict import Ruling, Verdict

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no form of."""


def junit_xml(plan: Plan, verdicts: Sequence[Verdict], time: datetime) -> bytes:
    """Return a test suite with a case for each gate: a refusal fails, an override is skipped."""
    name = f"{plan.operation} {plan.model} {plan.revision.id} on {plan.target}"
    rulings = [verdict.ruling for verdict in verdicts]
    skipped = len(rulings) - rulings.count(Ruling.PASSED) - rulings.count(Ruling.REFUSED)
    suite = ET.Element(
        "testsuite",
        name=_text(name),
        tests=str(len(verdicts)),
        failures=str(rulings.count(Ruling.REFUSED)),
        errors="0",
        skipped=str(skipped),
        time="0",
        timestamp=f"{time:%Y-%m-%dT%H:%M:%S}",
    )
    for verdict in verdicts:
        _add_case(suite, name, verdict)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add_case(suite: ET.Element, name: str, verdict: Verdict) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=_text(name), name=f"gate {_text(verdict.gate)}", time="0"
    )
    details = _text("\n".join(verdict.findings))
    match verdict.ruling:
        case Ruling.REFUSED:
            failure = ET.SubElement(case, "failure", message=_text(verdict.sentence))
            failure.text = details
        case Ruling.OVERRIDDEN | Ruling.UNCHECKED:
            reason = f"{verdict.ruling}: {verdict.reason or verdict.sentence}"
            ET.SubElement(case, "skipped", message=_text(reason))
    if verdict.figures:
        figures = msgspec.json.encode(verdict.figures).decode()
        ET.SubElement(case, "system-out").text = _text(figures)


def _text(text: str) -> str:
    return _INVALID.sub("\N{REPLACEMENT CHARACTER}", text)
