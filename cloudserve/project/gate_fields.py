"""The reader of `targets.NAME.gates` in the project file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudserve.plural import counted
from cloudserve.project.field_value import FieldValue
from cloudserve.project.gate_settings import (
    NAMES,
    QUANTILES,
    ApprovalSettings,
    GateSettings,
    GoldenSettings,
    LatencySettings,
    ParitySettings,
    RequestSettings,
)
from cloudserve.project.yamlfile import Document, KeyPath
from cloudserve.release.gates.quantiles import fewest_for_ratio, fewest_values

_BOUNDS = ("absolute", "relative", "ulp")
_REQUESTS = ("file", "requests", "seed")
_NOT_BOTH = "`{}` is for generated requests, and `file` has others; leave one of them out"


def read_gates(document: Document, path: KeyPath, value: Any) -> GateSettings:
    """Return the gates of a target; raises ProjectError, which names the wrong field."""
    if value is None:
        return GateSettings()
    fields = FieldValue(document, path, value).fields(NAMES)
    switches = {name: fields[name].switch() for name in ("contract", "load") if name in fields}
    return GateSettings(
        **switches,
        approval=_optional(fields.get("approval"), _approval),
        golden=_optional(fields.get("golden"), _golden),
        parity=_optional(fields.get("parity"), _parity),
        latency=_optional(fields.get("latency"), _latency),
    )


def _optional(value: FieldValue | None, read: Callable[[FieldValue], Any]) -> Any:
    if value is None or value.value is None or value.value is False:
        return None
    return read(value)


def _approval(value: FieldValue) -> ApprovalSettings:
    if value.value is True:
        return ApprovalSettings()
    fields = value.fields(("require_other",))
    return ApprovalSettings("require_other" in fields and fields["require_other"].switch())


def _parity(value: FieldValue) -> ParitySettings:
    if value.value is True:
        return ParitySettings()
    fields = value.fields((*_REQUESTS, *_BOUNDS))
    if "requests" in fields and "file" in fields:
        raise fields["requests"].error(*_NOT_BOTH.format("requests").split("; "))
    count = (
        fields["requests"].whole(least=1) if "requests" in fields else RequestSettings().requests
    )
    return ParitySettings(_requests(fields, count), _bounds(fields))


def _latency(value: FieldValue) -> LatencySettings:
    fields = value.fields((*QUANTILES, "times_live", "confidence", *_REQUESTS))
    milliseconds = {name: fields[name].number(example="80") for name in QUANTILES if name in fields}
    live = fields["times_live"].fields(tuple(QUANTILES)) if "times_live" in fields else {}
    times_live = {name: live[name].number(example="1.5") for name in QUANTILES if name in live}
    if not (milliseconds or times_live):
        raise value.error(
            "`latency` has no bound", "p99: 80 (milliseconds), or times_live: {p50: 1.5}"
        )
    usual = LatencySettings()
    confidence = fields["confidence"].share() if "confidence" in fields else usual.confidence
    fewest = max(
        *(fewest_values(QUANTILES[name], confidence) for name in milliseconds),
        *(fewest_for_ratio(QUANTILES[name], confidence) for name in times_live),
        1,
    )
    requests = fields["requests"].whole(least=1) if "requests" in fields else usual.requests
    if requests < fewest:
        raise fields.get("requests", value).error(
            f"`latency` needs more than {counted(requests, 'request')} for its bounds",
            f"requests: {fewest}, at least, with a confidence of {confidence:g}",
        )
    return LatencySettings(
        _requests(fields, RequestSettings().requests),
        requests,
        milliseconds,
        times_live,
        confidence,
    )


def _requests(fields: Mapping[str, FieldValue], count: int) -> RequestSettings:
    """Return the requests of a gate: of a file, or `count` generated ones."""
    if "file" not in fields:
        return RequestSettings("", count, fields["seed"].whole() if "seed" in fields else 0)
    if "seed" in fields:
        raise fields["seed"].error(*_NOT_BOTH.format("seed").split("; "))
    return RequestSettings(fields["file"].text())


def _bounds(fields: Mapping[str, FieldValue]) -> dict[str, float]:
    return {name: fields[name].number() for name in _BOUNDS if name in fields}


def _golden(value: FieldValue) -> GoldenSettings:
    fields = value.fields(("file", *_BOUNDS, "accuracy"))
    if "file" not in fields:
        raise value.error(
            "`file` is missing", "file: golden.jsonl, written by `cloudserve golden record`"
        )
    accuracy = fields["accuracy"].number(most=1, example="0.5") if "accuracy" in fields else None
    return GoldenSettings(fields["file"].text(), _bounds(fields), accuracy)
