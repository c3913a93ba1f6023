"""The rules of a canary, as a plan shows them."""

from __future__ import annotations

from typing import Any

from cloudserve.cli.render.report import Table
from cloudserve.release.canary.comparison import announced
from cloudserve.release.canary.rules import CanaryRules, Source
from cloudserve.release.traffic import ALL

_SOURCES = {
    Source.PROBES: "requests that cloudserve sends to both versions",
    Source.METRICS: "the users' requests, from the platform's metrics",
    Source.BOTH: "requests that cloudserve sends, then the users'",
}


def canary_table(rules: CanaryRules) -> Table:
    """Render the rules: the steps with their least times, the bounds, the requests needed."""
    steps = ", ".join(_step(rules, percent) for percent in rules.steps)
    rows = [
        ("steps", f"{steps}, then all of the traffic"),
        ("deadline", f"{rules.deadline:g} s for all steps; an undecided version is rolled back"),
        ("judged by", _SOURCES[rules.source]),
        ("errors", f"it fails for less than {_percent(rules.more_errors)} more of the requests"),
        ("slow", f"it is slow for less than {_percent(rules.more_slow)} more: {_slow(rules)}"),
    ]
    if rules.max_shift:
        shift = _percent(rules.max_shift)
        rows.append(("predictions", f"no class's share of the answers differs by {shift}"))
    if rules.more_wrong:
        wrong = _percent(rules.more_wrong)
        rows.append(("wrong", f"it answers less than {wrong} more of the labelled requests wrong"))
    rows.append(("requests", announced(rules)))
    return Table(("CANARY", "WHAT promote --canary DOES"), rows)


def canary_document(rules: CanaryRules) -> dict[str, Any]:
    """Return the rules as a plan's JSON has them."""
    return {
        "steps": [{"percent": step, "hold": rules.least_seconds(step)} for step in rules.steps],
        "deadline": rules.deadline,
        "rate": rules.rate,
        "source": rules.source,
        "more_errors": rules.more_errors,
        "more_slow": rules.more_slow,
        "slow_factor": rules.slow_factor,
        "max_shift": rules.max_shift,
        "more_wrong": rules.more_wrong,
    }


def _step(rules: CanaryRules, percent: int) -> str:
    least = rules.least_seconds(percent)
    return f"{percent} % for {least:g} s at least" if least else f"{percent} %"


def _percent(share: float) -> str:
    return f"{share * ALL:g} %"


def _slow(rules: CanaryRules) -> str:
    return f"{rules.slow_factor:g} times the live version's 95th percentile or more"
