"""The verdicts of a release's gates as JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from cloudserve import junit
from cloudserve.release.types import Plan
from cloudserve.release.verdict import Ruling, Verdict


def junit_xml(plan: Plan, verdicts: Sequence[Verdict], time: datetime) -> bytes:
    """Return a test suite with a case for each gate: a refusal fails, an override is skipped."""
    name = f"{plan.operation} {plan.model} {plan.revision.id} on {plan.target}"
    return junit.junit_xml(name, [_case(verdict) for verdict in verdicts], time)


def _case(verdict: Verdict) -> junit.Case:
    is_skipped = verdict.ruling not in {Ruling.PASSED, Ruling.REFUSED}
    return junit.Case(
        f"gate {verdict.gate}",
        verdict.sentence if verdict.is_refused else None,
        "\n".join(verdict.findings),
        f"{verdict.ruling}: {verdict.reason or verdict.sentence}" if is_skipped else None,
        msgspec.json.encode(verdict.figures).decode() if verdict.figures else "",
    )
