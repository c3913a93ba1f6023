"""The plans that remove revisions of a model, the whole model, or leftovers, from Vertex AI.

Sources: aiplatform v1, `UndeployModelRequest` (what has traffic is undeployed last, or by a split
that gives it to others), `models.deleteVersion` (not the only version, nor the default one),
`models.delete` and `endpoints.delete` (nothing may be deployed, on any endpoint).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudserve.errors import ConflictError
from cloudserve.release.collection import Hold
from cloudserve.release.types import Action, Reading

from ....actions import planned
from ..actions.steps import DeleteEndpoint, DeleteModel, RemoveVersion, TakeOff
from ..records import DEFAULT, Placed, Version, last_part
from ..snapshot import Snapshot, snapshot_of

if TYPE_CHECKING:
    from ..api import VertexApi


def plan_removal(
    api: VertexApi, reading: Reading, revision_ids: Sequence[str] | None
) -> tuple[Action, ...]:
    """Return what removes these revisions, or the whole model; () if nothing is left.

    Raises ConflictError for what Vertex AI would refuse half-way: a version that is deployed on
    another endpoint cannot be deleted, nor the default one beside versions of others.
    """
    model, snapshot = reading.deployment.model, snapshot_of(reading)
    every = (*snapshot.versions, *snapshot.superseded)
    if revision_ids is None:
        placed = _ours(api, snapshot)
        going = every
    else:
        placed = [p for p in _placed(snapshot) if p.revision in revision_ids]
        going = tuple(v for v in every if v.revision.id in revision_ids)
    _check_elsewhere(api, snapshot, going)
    if len(every) == len(going) < snapshot.records:
        _check_default(api, snapshot, going)
    actions = [
        _take_off(model, snapshot, p) for p in sorted(placed, key=lambda p: _share(snapshot, p))
    ]
    # One that goes by the service's number was made by somebody else, and cannot be made again.
    if revision_ids is None and snapshot.endpoint and not snapshot.endpoint_id.isdecimal():
        actions.append(
            planned(DeleteEndpoint(model), f"delete the endpoint {snapshot.endpoint_id}")
        )
    return (*actions, *_delete_versions(model, snapshot, going))


def _placed(snapshot: Snapshot) -> tuple[Placed, ...]:
    return snapshot.endpoint.placed if snapshot.endpoint else ()


def _ours(api: VertexApi, snapshot: Snapshot) -> list[Placed]:
    """Return all deployments of the endpoint; raises ConflictError if one is not cloudserve's."""
    strangers = [placed.id for placed in _placed(snapshot) if placed.revision is None]
    if strangers:
        raise ConflictError(
            f"the endpoint {snapshot.endpoint_id} also has what cloudserve did not deploy: "
            f"{', '.join(strangers)}",
            where=api.url(api.endpoint_name(snapshot.endpoint_id)),
            hint="undeploy that first, or take the revisions down one by one with --version",
        )
    return list(_placed(snapshot))


def _check_elsewhere(api: VertexApi, snapshot: Snapshot, going: Sequence[Version]) -> None:
    """Raise ConflictError if a version is deployed on an endpoint that is not this target's."""
    for version in going:
        elsewhere = " and ".join(_elsewhere(version, snapshot))
        if elsewhere:
            raise ConflictError(
                f"the version {version.number} of the model {snapshot.model_id}, "
                f"{version.revision.id}, is also deployed on the endpoint {elsewhere}",
                where=api.url(api.model_name(snapshot.model_id, version.number)),
                hint="undeploy it there first: Vertex AI keeps a version that is deployed",
            )


def _check_default(api: VertexApi, snapshot: Snapshot, going: Sequence[Version]) -> None:
    """Raise ConflictError if the default version goes, and only versions of others are left."""
    version = next((version for version in going if DEFAULT in version.aliases), None)
    if version is not None:
        raise ConflictError(
            f"the version {version.number} of the model {snapshot.model_id}, "
            f"{version.revision.id}, is the default one, and all others are not cloudserve's",
            where=api.url(api.model_name(snapshot.model_id, version.number)),
            hint=f"give the alias `{DEFAULT}` to one of them first, or delete them",
        )


def _elsewhere(version: Version, snapshot: Snapshot) -> list[str]:
    """Return the ids of the other endpoints that a version is deployed on."""
    return sorted({last_part(name) for name in version.deployed} - {snapshot.endpoint_id})


def _share(snapshot: Snapshot, placed: Placed) -> tuple[int, str]:
    split = snapshot.endpoint.split if snapshot.endpoint else {}
    return split.get(placed.id, 0), placed.id


def _take_off(model: str, snapshot: Snapshot, placed: Placed) -> Action:
    sentence = f"undeploy {placed.revision} from the endpoint {snapshot.endpoint_id}"
    return planned(TakeOff(model, placed.id), sentence, name=f"take-off-{placed.id}")


def _delete_versions(model: str, snapshot: Snapshot, going: Sequence[Version]) -> list[Action]:
    """Plan the end of versions; with the last one of a model goes the model itself."""
    name = snapshot.model_id
    if going and len(going) == snapshot.records:
        numbers = ", ".join(sorted({v.revision.id for v in going}))
        sentence = f"delete the model {name} with its versions: {numbers}"
        return [planned(DeleteModel(model), sentence)]
    return [
        planned(
            RemoveVersion(model, version.number, version.revision.digest),
            f"delete the version {version.number} of the model {name}, {version.revision.id}",
            name=f"remove-version-{version.number}",
        )
        for version in going
    ]


def holds(reading: Reading) -> dict[str, Hold]:
    """Return why revisions stay: an alias of their version, or a deployment elsewhere.

    Source: aiplatform v1, `Model.versionAliases`, `Model.deployedModels`.
    """
    snapshot = snapshot_of(reading)
    reasons: dict[str, Hold] = {}
    for version in (*snapshot.superseded, *snapshot.versions):
        reason = _reason(version, snapshot)
        if reason:
            reasons[version.revision.id] = Hold(reason)
    return reasons


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
    """Return the reason to keep a version, as a clause; "" if only its own alias names it."""
    aliases = sorted(version.aliases - {version.revision.id})
    if aliases:
        return f"its version has the alias {' and '.join(aliases)}"
    elsewhere = _elsewhere(version, snapshot)
    return f"it is deployed on the endpoint {' and '.join(elsewhere)}" if elsewhere else ""
