"""The report of a release's gates, as Markdown and as JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import UserError
from cloudserve.release.gates.junit import junit_xml
from cloudserve.release.gates.report import GateReport
from cloudserve.release.types import Operation, Plan, Revision
from cloudserve.release.verdict import Ruling, Verdict

PLAN = Plan(
    Operation.PROMOTE, "aws", "mnist", Revision(2, "ab" * 32), (), previous="v1-0f3c5a9b7d21"
)
WHEN = datetime(2026, 11, 29, 23, 15, tzinfo=UTC)
PASSED = Verdict("load", Ruling.PASSED, "no objection", {"ops": 3})
REFUSED = Verdict(
    "contract",
    Ruling.REFUSED,
    "input x: shape [?] | [1]",
    {"answered": ["a|b"], "differences": 1},
    ("signature s: *x*",),
)


def report(*verdicts):
    return GateReport(PLAN, verdicts, "ada", WHEN)


def test_a_report_as_markdown():
    assert report(PASSED, REFUSED).markdown() == (
        "# promote mnist v2-abababababab on aws\n\n"
        "**refused; no traffic was moved**\n\n"
        f"* digest: `{'ab' * 32}`\n"
        "* live before: v1-0f3c5a9b7d21\n"
        "* destination: unknown\n"
        "* by ada, 2026-11-29 23:15:00 UTC\n\n"
        "| gate | ruling | finding |\n"
        "|---|---|---|\n"
        "| load | passed | no objection |\n"
        "| contract | refused | input x: shape \\[?\\] \\| \\[1\\] |\n\n"
        "## load: passed\n\n"
        "| figure | value |\n|---|---|\n| ops | 3 |\n\n"
        "## contract: refused\n\n"
        "* signature s: \\*x\\*\n\n"
        "| figure | value |\n|---|---|\n"
        '| answered | \\["a\\|b"\\] |\n'
        "| differences | 1 |\n"
    )


def test_an_override_is_in_the_report_with_its_reason():
    text = report(REFUSED.overridden("all clients\nwere updated")).markdown()
    assert "**all gates let it pass**" in text
    assert "## contract: overridden\n\nOverridden: all clients were updated\n" in text


def test_a_report_as_json(tmp_path):
    file = tmp_path / "gates.json"
    report(PASSED, REFUSED).write(file)
    document = json.loads(file.read_text())
    assert document["refused"] is True
    assert [gate["ruling"] for gate in document["gates"]] == ["passed", "refused"]
    assert document["gates"][0]["figures"] == {"ops": 3}


def test_a_report_that_cannot_be_written_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=re.escape("the report cannot be written")) as caught:
        report(PASSED).write(tmp_path / ("x" * 300))
    assert "cloudserve history" in caught.value.hint


def test_a_report_as_junit_xml_has_a_case_for_each_gate(tmp_path):
    path = tmp_path / "gates.xml"
    unchecked = Verdict("golden", Ruling.UNCHECKED, "no file")
    overridden = REFUSED.overridden("agreed")
    report(PASSED, REFUSED, overridden, unchecked).write(path)
    suite = ET.parse(path).getroot().find("testsuite")
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "0", "skipped": "2"}
    assert suite.get("name") == "promote mnist v2-abababababab on aws"
    cases = {case.get("name"): case for case in suite}
    assert list(cases) == ["gate load", "gate contract", "gate golden"]
    passed, refused, override, golden = suite
    assert [child.tag for child in passed] == ["system-out"]
    assert json.loads(passed.find("system-out").text) == {"ops": 3}
    assert refused.find("failure").get("message") == "input x: shape [?] | [1]"
    assert refused.find("failure").text == "signature s: *x*"
    assert override.find("skipped").get("message") == "overridden: agreed"
    assert golden.find("skipped").get("message") == "unchecked: no file"


@given(st.text())
def test_any_text_is_valid_xml(text):
    data = junit_xml(PLAN, [Verdict("load", Ruling.REFUSED, text, {"a": text}, (text,))], WHEN)
    failure = ET.fromstring(data).find("testsuite/testcase/failure")
    assert failure is not None
