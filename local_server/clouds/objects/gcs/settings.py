"""The settings of a Cloud Storage bucket: labels, classes, access, versions, deletion, retention.

Source: the storage v1 discovery document; "Key and value requirements" of bucket labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..http_util import iso_time, number
from ..store.types import ENABLED, BucketInfo
from .errors import invalid, not_implemented
from .fields import BUCKET_SETTINGS, check_class

Settings = Mapping[str, Any]
IAM_POLICY = "iamPolicy"
KEPT = frozenset({IAM_POLICY})
"""Settings that are no fields of a bucket's resource."""
MOST_LABELS = 64
LABEL_KEY = re.compile(r"[^\W\d_][\w-]{0,62}")
MOST_LABEL = 63
ACTIONS = frozenset({"AbortIncompleteMultipartUpload", "Delete", "SetStorageClass"})
CONDITIONS = frozenset({
    "age", "createdBefore", "customTimeBefore", "daysSinceCustomTime", "daysSinceNoncurrentTime",
    "isLive", "matchesPattern", "matchesPrefix", "matchesStorageClass", "matchesSuffix",
    "noncurrentTimeBefore", "numNewerVersions",
})  # fmt: skip
UNIFORM = frozenset({"bucketPolicyOnly", "uniformBucketLevelAccess"})
_DAY = 24 * 3600
_SOFT_DELETE = (7 * _DAY, 90 * _DAY)
"""Source: Cloud Storage, "Soft delete": a retention duration of 7 to 90 days."""
_LONGEST_RETENTION = 3_155_760_000
"""Source: the discovery document: a retention period of less than 100 years."""
_DURATIONS = ("retentionDurationSeconds", "retentionPeriod")
_CORS_LISTS = frozenset({"method", "origin", "responseHeader"})
PREVENTIONS = frozenset({"enforced", "inherited", "unspecified"})


def merged(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return settings with a patch merged in (RFC 7396: null removes); raises GcsError."""
    chosen = {name: value for name, value in changes.items() if name in BUCKET_SETTINGS}
    result: dict[str, Any] = _merge(settings, chosen)
    for name in result.keys() & BUCKET_SETTINGS:
        CHECKS[name](result[name])
    return result


def applied(bucket: BucketInfo, settings: Settings, now: float) -> BucketInfo:
    """Return a bucket with new settings, those that change deletions included; raises GcsError."""
    soft, retention = settings.get("softDeletePolicy"), settings.get("retentionPolicy")
    dated = {
        name: {**value, "effectiveTime": _effective(bucket.settings.get(name), value, now)}
        for name, value in (("softDeletePolicy", soft), ("retentionPolicy", retention))
        if value
    }
    return replace(
        bucket,
        settings={**settings, **dated},
        versioning=ENABLED if (settings.get("versioning") or {}).get("enabled") else "",
        soft_delete=float((soft or {}).get("retentionDurationSeconds", 0)),
        retention=float((retention or {}).get("retentionPeriod", 0)),
    )


def _effective(before: Any, value: Mapping[str, Any], now: float) -> str:
    """Return since when a policy is in effect: since its duration changed."""
    same = isinstance(before, Mapping) and all(
        before.get(name) == value.get(name) for name in _DURATIONS
    )
    return str(before["effectiveTime"]) if same else iso_time(now)


def has_uniform_access(settings: Settings) -> bool:
    """Return whether a bucket's settings switch its ACLs off."""
    access = settings.get("iamConfiguration") or {}
    return any((access.get(name) or {}).get("enabled") for name in UNIFORM)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge(result.get(name), value)
    return result


def _check_labels(labels: Any) -> None:
    if not isinstance(labels, Mapping) or len(labels) > MOST_LABELS:
        raise invalid(f"Invalid value for labels: at most {MOST_LABELS} pairs of strings")
    for key, value in labels.items():
        fits = isinstance(value, str) and len(value) <= MOST_LABEL and value == value.lower()
        if key != key.lower() or not LABEL_KEY.fullmatch(key) or not fits:
            raise invalid(f"Invalid label: {key[:100]!r}")


def _check_versioning(versioning: Any) -> None:
    whole = isinstance(versioning, Mapping) and versioning.keys() <= {"enabled"}
    if not whole or not isinstance(versioning.get("enabled", False), bool):
        raise invalid("Invalid value for versioning: its only field is enabled")


def _check_soft_delete(policy: Any) -> None:
    seconds = _duration(policy, "softDeletePolicy", "retentionDurationSeconds")
    if seconds and not _SOFT_DELETE[0] <= seconds <= _SOFT_DELETE[1]:
        raise invalid(
            "Soft delete policy retention duration must be 0, or between 7 and 90 days:"
            f" {seconds} seconds"
        )


def _check_retention(policy: Any) -> None:
    seconds = _duration(policy, "retentionPolicy", "retentionPeriod")
    if not 1 <= seconds <= _LONGEST_RETENTION:
        raise invalid(f"Invalid value for retentionPeriod: {seconds} seconds")
    if policy.get("isLocked"):
        raise not_implemented("retentionPolicy.isLocked")


def _duration(policy: Any, field: str, name: str) -> int:
    """Return the seconds in a policy; raises GcsError."""
    if not isinstance(policy, Mapping) or not policy.keys() <= {name, "effectiveTime", "isLocked"}:
        raise invalid(f"Invalid value for {field}: it needs {name}")
    seconds = number(str(policy.get(name, "")))
    if seconds is None:
        raise invalid(f"Invalid value for {field}.{name}")
    return seconds


def _check_hold(hold: Any) -> None:
    if not isinstance(hold, bool):
        raise invalid("Invalid value for defaultEventBasedHold")


def _check_cors(rules: Any) -> None:
    if not isinstance(rules, list) or not all(_is_cors(rule) for rule in rules):
        raise invalid("Invalid value for cors: a list of rules with origin and method")


def _is_cors(rule: Any) -> bool:
    if not isinstance(rule, Mapping) or not rule.keys() <= {*_CORS_LISTS, "maxAgeSeconds"}:
        return False
    lists = all(
        isinstance(rule.get(name, []), list) and all(isinstance(each, str) for each in rule[name])
        for name in _CORS_LISTS & rule.keys()
    )
    return lists and number(str(rule.get("maxAgeSeconds", 0))) is not None


def _check_access(access: Any) -> None:
    if not isinstance(access, Mapping):
        raise invalid("Invalid value for iamConfiguration")
    for name, value in access.items():
        uniform = name in UNIFORM and isinstance(value, Mapping)
        if uniform and value.keys() <= {"enabled", "lockedTime"}:
            continue
        if name == "publicAccessPrevention" and value in PREVENTIONS:
            continue
        raise invalid(f"Invalid value for iamConfiguration: {name[:100]!r}")


def _check_lifecycle(lifecycle: Any) -> None:
    if not isinstance(lifecycle, Mapping) or not lifecycle.keys() <= {"rule"}:
        raise invalid("Invalid value for lifecycle: its only field is rule")
    rules = lifecycle.get("rule", [])
    if not isinstance(rules, list) or not all(_is_rule(rule) for rule in rules):
        raise invalid("Invalid value for lifecycle: a rule needs an action and a condition")


def _is_rule(rule: Any) -> bool:
    if not isinstance(rule, Mapping) or rule.keys() != {"action", "condition"}:
        return False
    action, condition = rule["action"], rule["condition"]
    if not isinstance(action, Mapping) or not isinstance(condition, Mapping):
        return False
    return action.get("type") in ACTIONS and condition.keys() <= CONDITIONS


CHECKS: Mapping[str, Callable[[Any], object]] = {
    "cors": _check_cors,
    "defaultEventBasedHold": _check_hold,
    "iamConfiguration": _check_access,
    "labels": _check_labels,
    "lifecycle": _check_lifecycle,
    "retentionPolicy": _check_retention,
    "softDeletePolicy": _check_soft_delete,
    "storageClass": check_class,
    "versioning": _check_versioning,
}
