"""JUnit XML, which CI systems show as test cases.

Source: the schema of Jenkins' xunit plugin (junit-10.xsd); GitLab documentation, "Unit test
reports"; CodeBuild user guide, "Test reports".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as ET

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no form of."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test case: passed unless it has a failure or was skipped."""

    name: str
    failure: str | None = None
    """What failed, in one sentence; None if nothing did."""
    details: str = ""
    """The failure's other lines."""
    skipped: str | None = None
    """Why it was not judged; None if it was."""
    output: str = ""


def junit_xml(suite: str, cases: Sequence[Case], time: datetime) -> bytes:
    """Return a document with one test suite."""
    element = ET.Element(
        "testsuite",
        name=_text(suite),
        tests=str(len(cases)),
        failures=str(sum(case.failure is not None for case in cases)),
        errors="0",
        skipped=str(sum(case.skipped is not None for case in cases)),
        time="0",
        timestamp=f"{time:%Y-%m-%dT%H:%M:%S}",
    )
    for case in cases:
        _add_case(element, suite, case)
    suites = ET.Element("testsuites")
    suites.append(element)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add_case(suite: ET.Element, classname: str, case: Case) -> None:
    names = {"classname": _text(classname), "name": _text(case.name), "time": "0"}
    element = ET.SubElement(suite, "testcase", names)
    if case.failure is not None:
        failure = ET.SubElement(element, "failure", message=_text(case.failure))
        failure.text = _text(case.details)
    if case.skipped is not None:
        ET.SubElement(element, "skipped", message=_text(case.skipped))
    if case.output:
        ET.SubElement(element, "system-out").text = _text(case.output)


def _text(text: str) -> str:
    return _INVALID.sub("\N{REPLACEMENT CHARACTER}", text)
