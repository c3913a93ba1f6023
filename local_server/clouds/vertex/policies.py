"""The IAM policies of models: kept, and not applied.

Whether a caller may do something is decided by `emulate --deny` alone. Of the resources that are
offline, only models have policies in aiplatform v1; endpoints have them in v1beta1. Sources: its
discovery document (GoogleIamV1Policy, GoogleIamV1Binding); Google Cloud IAM, "Retry failed
requests", for the words about an outdated etag.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from ...status import Code, StatusError
from ..google.common.discovery import Call
from ..google.common.errors import ApiError
from ..google.common.permissions import Denied, check_names
from ..resources import Document
from .records import POLICY, Records, invalid

_ROLE = re.compile(r"(?:roles|projects/[^/]+/roles|organizations/\d+/roles)/[\w.]+")
_EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
_MEMBER = re.compile(
    r"(?:deleted:)?(?:user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer"
    r"|principal|principalSet):.+"
)
_VERSIONS = frozenset({0, 1, 3})
_MOST_PRINCIPALS = 1500
_NEVER_SET = "ACAB"
"""The etag of a policy that nobody has set."""


class Policies:
    """The methods `getIamPolicy`, `setIamPolicy` and `testIamPermissions` of models."""

    def __init__(self, records: Records, denied: Denied) -> None:
        self._records = records
        self._denied = denied

    def get(self, name: str) -> Document:
        """Return a model's policy; an empty one if it was never set."""
        self._records.model(name)
        return _shown(self._records.resources.get(POLICY, name) or {})

    def set(self, name: str, body: Document) -> Document:
        """Replace a model's policy if its etag is current, and return it."""
        self._records.model(name)
        if "policy" not in body:
            raise invalid("The field `policy` is required.")
        policy = body["policy"]
        _check(policy)
        kept = self._records.resources.get(POLICY, name) or {}
        if policy.get("etag") not in {None, "", _shown(kept)["etag"]}:
            raise ApiError(
                Code.ABORTED,
                "There were concurrent policy changes. Please retry the whole read-modify-write"
                " with exponential backoff.",
            )
        bindings = [binding for binding in policy.get("bindings", ()) if binding.get("members")]
        changed: Document = {"_count": kept.get("_count", 0) + 1, "version": 1}
        changed |= {"bindings": bindings} if bindings else {}
        self._records.resources.put(POLICY, name, changed)
        return _shown(changed)

    def test(self, call: Call) -> Document:
        """Return which of the permissions in the query the caller has on a model."""
        asked: list[str] = call.query.get("permissions", [])
        check_names(asked)
        try:
            self._records.version(call.path["resource"])
        except StatusError:  # "an empty set of permissions, not a NOT_FOUND error"
            return {}
        granted = [name for name in asked if not self._denied.covers(name)]
        return {"permissions": granted} if granted else {}


def _shown(policy: Mapping[str, Any]) -> Document:
    if not policy:
        return {"etag": _NEVER_SET}
    etag = base64.b64encode(b"\x08" + int(policy["_count"]).to_bytes(7)).decode()
    return {key: value for key, value in policy.items() if key != "_count"} | {"etag": etag}


def _check(policy: Mapping[str, Any]) -> None:
    """Refuse an invalid policy; conditions are refused by name (ApiError)."""
    if policy.get("version", 0) not in _VERSIONS:
        raise invalid(f"The version {policy['version']} of the policy is not 0, 1 or 3.")
    bindings = policy.get("bindings", ())
    for binding in bindings:
        if binding.get("condition"):
            raise ApiError(Code.UNIMPLEMENTED, "Conditions of policies are not available offline.")
        role = binding.get("role", "")
        if not _ROLE.fullmatch(role):
            raise invalid(f"Role {role} is not supported for this resource.")
        for member in binding.get("members", ()):
            if member not in _EVERYBODY and not _MEMBER.fullmatch(member):
                raise invalid(f"The member {member} is of an unknown type.")
    count = sum(len(binding.get("members", ())) for binding in bindings)
    if count > _MOST_PRINCIPALS:
        raise invalid(f"The policy has {count} principals; at most {_MOST_PRINCIPALS} are allowed.")
