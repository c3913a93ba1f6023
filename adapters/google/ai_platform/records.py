"""AI Platform's names and records <-> the core's types. Pure functions.

Model and version names take letters, digits and "_" (ml v1, Model.name). A version carries its
revision in labels; a label's value takes 63 characters of [a-z0-9_-] (one too few for a SHA-256
in hex, hence two labels).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloudserve.release.types import Deployed, Revision, State

from ..labels import DIGEST, NUMBER

STATES = {
    "READY": State.READY,
    "CREATING": State.CREATING,
    "UPDATING": State.UPDATING,
    "DELETING": State.DELETING,
    "FAILED": State.FAILED,
}


def platform_name(name: str) -> str:
    """Return a model's name or a revision's id as the platform takes it."""
    return name.replace("-", "_")


def short_name(resource: Mapping[str, Any]) -> str:
    """Return the last part of `projects/P/models/M[/versions/V]`."""
    return str(resource["name"]).rpartition("/")[2]


def revision_of(version: Mapping[str, Any]) -> Revision | None:
    """Return a version's revision, or None for a version that is not ours."""
    labels = version.get("labels", {})
    number = labels.get(NUMBER, "")
    if not number.isascii() or not number.isdigit():
        return None
    revision = Revision(int(number), "".join(labels.get(label, "") for label in DIGEST))
    return revision if platform_name(revision.id) == short_name(version) else None


def is_own(version: Mapping[str, Any]) -> bool:
    """Return whether cloudserve made a version, for whatever target."""
    return revision_of(version) is not None


def deployed(version: Mapping[str, Any]) -> Deployed | None:
    """Return a version as the core knows it, or None for a version that is not ours."""
    revision = revision_of(version)
    if revision is None:
        return None
    created = version.get("createTime")
    return Deployed(
        revision,
        STATES.get(version.get("state", ""), State.CREATING),
        str(version.get("deploymentUri", "")),
        datetime.fromisoformat(created) if created else None,
        version.get("errorMessage") or None,
    )


def traffic(model: Mapping[str, Any]) -> dict[str, float]:
    """Return the traffic of a model: all of it to its default version, unless that failed.

    A default version that is not ours appears under its own name.
    """
    default = model.get("defaultVersion")
    if not default or default.get("state") == "FAILED":
        return {}
    revision = revision_of(default)
    return {revision.id if revision else short_name(default): 1.0}
