"""The settings of a Cloud Storage bucket: labels, storage class, access, lifecycle.

Source: the storage v1 discovery document; "Key and value requirements" of bucket labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import invalid
from .fields import BUCKET_SETTINGS, check_class

Settings = Mapping[str, Any]
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
PREVENTIONS = frozenset({"enforced", "inherited", "unspecified"})


def merged(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return settings with a patch merged in (RFC 7396: null removes); raises GcsError."""
    chosen = {name: value for name, value in changes.items() if name in BUCKET_SETTINGS}
    result: dict[str, Any] = _merge(settings, chosen)
    for name, value in result.items():
        CHECKS[name](value)
    return result


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
    "iamConfiguration": _check_access,
    "labels": _check_labels,
    "lifecycle": _check_lifecycle,
    "storageClass": check_class,
}
