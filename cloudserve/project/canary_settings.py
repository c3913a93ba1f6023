"""The canary of a target, as the project file has it: `targets.NAME.canary`.

canary:
  requests: requests/{model}.jsonl
  steps: [1, {percent: 10, hold: 600}, 50]
  hold: 60
  deadline: 7200
  max_errors: 2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudserve.errors import UserError
from cloudserve.project.field_value import FieldValue
from cloudserve.project.yamlfile import Document, KeyPath
from cloudserve.release.canary.rules import CanaryRules, Source
from cloudserve.release.traffic import ALL

FIELD = "canary"
_POINTS = {
    "max_errors": "more_errors",
    "max_slow": "more_slow",
    "max_shift": "max_shift",
    "max_wrong": "more_wrong",
}
"""Fields in points of percent, and the rule that each sets as a share."""
_MAY_BE_OFF = frozenset({"max_shift", "max_wrong"})
_FIELDS = (
    *("requests", "source", "steps", "hold", "deadline", "rate"),
    *_POINTS,
    "slow_factor",
)


@dataclass(frozen=True, slots=True)
class CanarySettings:
    """The canary of one target. What the file does not set is as in `CanaryRules`."""

    requests: str = ""
    """The file of requests, relative to the project file; `{model}` is the model's name."""
    rules: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `CanaryRules`."""


def read_canary(document: Document, path: KeyPath, value: Any) -> CanarySettings:
    """Return the canary of a target; raises ProjectError, which names the wrong field."""
    if value is None:
        return CanarySettings()
    whole = FieldValue(document, path, value)
    fields = whole.fields(_FIELDS)
    rules: dict[str, Any] = {}
    if "source" in fields:
        rules["source"] = _source(fields["source"])
    if "steps" in fields:
        rules["steps"], rules["holds"] = _steps(fields["steps"])
    numbers = [name for name in ("hold", "deadline", "rate", "slow_factor") if name in fields]
    rules |= {name: fields[name].number(example="300") for name in numbers}
    rules |= {_POINTS[name]: _points(fields[name]) for name in _POINTS if name in fields}
    try:
        CanaryRules(**rules)
    except UserError as error:
        raise whole.error(error.message, error.hint or "correct it") from error
    requests = fields["requests"].text() if "requests" in fields else ""
    if requests and rules.get("source") is Source.METRICS:
        raise fields["requests"].error(
            "`source: metrics` sends no requests", "source: both, or leave `requests` out"
        )
    return CanarySettings(requests, rules)


def _source(value: FieldValue) -> Source:
    try:
        return Source(value.value)
    except ValueError as error:
        names = ", ".join(Source)
        raise value.error(
            f"`source` is one of {names}, not `{value.value}`", "source: probes"
        ) from error


def _points(value: FieldValue) -> float:
    """Return a number of points as a share; some may be 0, for no comparison."""
    points = value.number(ALL - 1, "5")
    if points == 0 and value.path[-1] not in _MAY_BE_OFF:
        name = value.path[-1]
        raise value.error(f"`{name}` must be more than 0: no test proves it", f"{name}: 5")
    return points / ALL


def _steps(value: FieldValue) -> tuple[tuple[int, ...], dict[int, float]]:
    """Return the percentages before all traffic, and the least seconds of some of them."""
    if not isinstance(value.value, list):
        raise value.error(
            f"`steps` must be a list, not `{value.value}`", "steps: [1, {percent: 10, hold: 600}]"
        )
    steps: list[int] = []
    holds: dict[int, float] = {}
    for each in value.value:
        item = FieldValue(value.document, value.path, each)
        if isinstance(each, dict):
            named = item.fields(("percent", "hold"))
            percent = named["percent"].whole(1) if "percent" in named else item.whole(1)
            if "hold" in named:
                holds[percent] = named["hold"].number(example="600")
        else:
            percent = item.whole(1)
        steps.append(percent)
    # A last step of all traffic is what follows the others anyway.
    return tuple(steps[:-1] if steps[-1:] == [ALL] else steps), holds
