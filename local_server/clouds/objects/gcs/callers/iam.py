"""The IAM policies of buckets: kept, and not applied.

Whether a caller may do something is decided by `emulate --deny` alone. Sources: the storage v1
discovery document; Cloud Storage, "IAM roles", for the policy of a new bucket.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .....transport.types import Response
from ...store.errors import PreconditionFailedError
from ...store.types import BucketInfo
from ..errors import GcsError, invalid, not_implemented
from ..request import GcsCall, answer
from ..settings import IAM_POLICY, has_uniform_access

ROLE = re.compile(r"(?:roles|projects/[^/]+/roles|organizations/\d+/roles)/[\w.]+")
EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
MEMBER = re.compile(
    r"(?:deleted:)?(?:user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer"
    r"|principal|principalSet):.+"
)
WITH_CONDITIONS = 3
"""The version of policies that have conditions."""


def get_policy(call: GcsCall) -> Response:
    """buckets.getIamPolicy."""
    return answer(_policy(call.store.get_bucket(call.bucket)))


def _policy(bucket: BucketInfo) -> dict[str, Any]:
    kept: Mapping[str, Any] = bucket.settings.get(IAM_POLICY) or _new(bucket)
    return {
        "kind": "storage#policy",
        "resourceId": f"projects/_/buckets/{bucket.name}",
        "version": kept["version"],
        "etag": _etag(kept["count"]),
        "bindings": kept["bindings"],
    }


def _new(bucket: BucketInfo) -> dict[str, Any]:
    project = bucket.project
    owners = [f"projectEditor:{project}", f"projectOwner:{project}"]
    bindings = [
        {"role": "roles/storage.legacyBucketOwner", "members": owners},
        {"role": "roles/storage.legacyBucketReader", "members": [f"projectViewer:{project}"]},
    ]
    if has_uniform_access(bucket.settings):
        readers = [f"projectViewer:{project}"]
        bindings += [
            {"role": "roles/storage.legacyObjectOwner", "members": owners},
            {"role": "roles/storage.legacyObjectReader", "members": readers},
        ]
    return {"version": 1, "count": 1, "bindings": bindings}


def _etag(count: int) -> str:
    return base64.b64encode(bytes((8, count % 128))).decode()


def set_policy(call: GcsCall) -> Response:
    """buckets.setIamPolicy: replaces the policy, if its etag is still the current one."""
    given = call.json()
    bindings = given.get("bindings", [])
    if not isinstance(bindings, list) or not all(_is_binding(each) for each in bindings):
        raise invalid("Invalid value for bindings: each needs a role and a list of members")
    for binding in bindings:
        _check(binding, given.get("version", 1))

    def change(bucket: BucketInfo) -> BucketInfo:
        before = _policy(bucket)
        if given.get("etag") not in {None, "", before["etag"]}:
            raise PreconditionFailedError(bucket.name, "", "etag")
        _check_public(bucket, bindings)
        count = (bucket.settings.get(IAM_POLICY) or {"count": 1})["count"] + 1
        policy = {"version": given.get("version", 1), "count": count, "bindings": bindings}
        return replace(bucket, settings={**bucket.settings, IAM_POLICY: policy})

    return answer(_policy(call.store.update_bucket(call.bucket, change)))


def _is_binding(binding: Any) -> bool:
    if not isinstance(binding, Mapping) or not binding.keys() <= {"role", "members", "condition"}:
        return False
    members = binding.get("members", [])
    return isinstance(members, list) and all(isinstance(each, str) for each in members)


def _check(binding: Mapping[str, Any], version: Any) -> None:
    role = binding.get("role")
    if not isinstance(role, str) or not ROLE.fullmatch(role):
        raise invalid(f"Role {role!r:.100} is not supported for this resource.")
    for member in binding.get("members", []):
        if member not in EVERYBODY and not MEMBER.fullmatch(member):
            raise invalid(f"Invalid argument: the member {member[:100]!r}")
    if binding.get("condition") and version != WITH_CONDITIONS:
        raise not_implemented("conditions of policies")


def _check_public(bucket: BucketInfo, bindings: list[Mapping[str, Any]]) -> None:
    access = bucket.settings.get("iamConfiguration") or {}
    public = any(EVERYBODY & set(binding.get("members", [])) for binding in bindings)
    if public and access.get("publicAccessPrevention") == "enforced":
        message = (
            "The member bindings allUsers and allAuthenticatedUsers are not allowed since public"
            " access prevention is enforced."
        )
        raise GcsError(412, "conditionNotMet", message)
