"""Versions that newer ones replaced on Vertex AI, and what keeps a revision.

Source: aiplatform v1, `Model.versionAliases`, `Model.deployedModels`, `models.deleteVersion`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudserve.release.collection import Hold
from cloudserve.release.types import Action, Reading

from ....actions import planned
from ..actions.steps import RemoveVersion
from ..records import Version, last_part
from ..snapshot import Snapshot, snapshot_of


def holds(reading: Reading) -> dict[str, Hold]:
    """Return why revisions stay: an alias of their version, or a deployment elsewhere."""
    snapshot = snapshot_of(reading)
    found: dict[str, Hold] = {}
    for version in (*snapshot.superseded, *snapshot.versions):
        reason = _reason(version, snapshot)
        if reason:
            found[version.revision.id] = Hold(reason)
    return found


def plan_leftovers(reading: Reading, going: Sequence[str]) -> tuple[Action, ...]:
    """Plan to delete replaced versions that are not deployed and have no alias."""
    model, snapshot = reading.deployment.model, snapshot_of(reading)
    placed = {p.version for p in snapshot.endpoint.placed} if snapshot.endpoint else set()
    return tuple(
        planned(
            RemoveVersion(model, version.number, version.revision.digest),
            f"delete the version {version.number} of the model {snapshot.model_id}, which a newer "
            f"one of {version.revision.id} replaced",
            name=f"remove-version-{version.number}",
        )
        for version in snapshot.superseded
        if version.revision.id not in going
        and version.number not in placed
        and not _reason(version, snapshot)
    )


def _reason(version: Version, snapshot: Snapshot) -> str:
    """Return why a version stays, as a clause; the alias of its own revision is no reason."""
    aliases = sorted(version.aliases - {version.revision.id})
    if aliases:
        return f"its version has the alias {' and '.join(aliases)}"
    elsewhere = sorted({last_part(name) for name in version.deployed} - {snapshot.endpoint_id})
    return f"it is deployed on the endpoint {' and '.join(elsewhere)}" if elsewhere else ""
