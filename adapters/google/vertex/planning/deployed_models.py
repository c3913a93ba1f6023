"""A revision's deployments on an endpoint, and their share of the traffic. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..fields.machines import holds
from ..records import Endpoint, Placed, Version
from ..snapshot import Snapshot

MARK = re.compile(r"\(([0-9a-f]{12})\)$")
LOGGING = ("enableAccessLogging", "disableContainerLogging")


def fits(placed: Placed, expected: Mapping[str, Any]) -> bool:
    """Return whether a deployment runs on the machines, and as the account, that are wanted."""
    existing, resources = placed.resources, expected["dedicatedResources"]
    return (
        holds(existing.get("machineSpec", {}), resources["machineSpec"])
        and bool(existing.get("spot")) == bool(resources.get("spot"))
        and placed.service_account == expected.get("serviceAccount", "")
        and mark(placed.record) == mark(expected)
        and all(bool(placed.record.get(key)) == bool(expected.get(key)) for key in LOGGING)
    )


def mark(deployed: Mapping[str, Any]) -> str:
    """Return the digest of the extra fields in a DeployedModel's display name, or ""."""
    match = MARK.search(str(deployed.get("displayName", "")))
    return match[1] if match else ""


def current(endpoint: Endpoint, version: Version, expected: Mapping[str, Any]) -> Placed | None:
    """Return the deployment of this very version on the machines that are wanted, if there is."""
    return next(
        (
            placed
            for placed in endpoint.placements(version.revision.id)
            if placed.version == version.number and fits(placed, expected)
        ),
        None,
    )


def split_with_new(endpoint: Endpoint, revision_id: str) -> dict[str, int]:
    """Return the traffic with a new deployment, which is "0": {} leaves it as it is.

    The first deployment gets all traffic; one that replaces an older one gets its share.
    """
    if not endpoint.split:
        return {"0": 100}
    olds = {placed.id for placed in endpoint.placements(revision_id)}
    taken = sum(endpoint.split.get(old, 0) for old in olds)
    if not taken:
        return {}
    rest = {key: share for key, share in endpoint.split.items() if key not in olds and share}
    return {**rest, "0": taken}


def placed_of(snapshot: Snapshot, revision_id: str, deployment: str) -> list[Placed]:
    """Return a revision's deployments, or the one of this id."""
    placed = snapshot.endpoint.placed if snapshot.endpoint else ()
    return [p for p in placed if p.revision == revision_id and deployment in {"", p.id}]
