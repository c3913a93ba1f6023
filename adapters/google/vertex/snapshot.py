"""One reading of Vertex AI for one model, in two calls: its versions and its endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudserve.release.owner import Owner
from cloudserve.release.types import Reading

from ...actions import out_of_date
from ...ownership import MODEL, Resource
from .names import Names, Record
from .records import Endpoint, Version, endpoint_of, last_part, version_of

if TYPE_CHECKING:
    from .api import VertexApi


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model's versions that are revisions of ours, and its endpoint."""

    model_id: str
    endpoint_id: str
    exists: bool = False
    """Whether there is a model of that id, with versions of ours or not."""
    versions: tuple[Version, ...] = ()
    """The versions that are revisions now."""
    superseded: tuple[Version, ...] = ()
    """Versions that were revisions, before these were uploaded again."""
    endpoint: Endpoint | None = None
    is_claimed: bool = True
    """Whether the endpoint's labels tell its owner; False for one from before there were such."""
    records: int = 0
    """How many versions the model has, ours or not."""

    def version(self, revision_id: str) -> Version | None:
        """Return the version that is a revision now."""
        return next((v for v in self.versions if v.revision.id == revision_id), None)

    def holder(self, alias: str) -> Version | None:
        """Return the version that has an alias."""
        return next((v for v in self.versions if alias in v.aliases), None)


def snapshot_of(reading: Reading) -> Snapshot:
    """Return the adapter's own part of a reading."""
    snapshot: Snapshot = reading.snapshot
    return snapshot


def read_snapshot(api: VertexApi, names: Names, model: str) -> Snapshot:
    """Read a model and its endpoint.

    Raises ConflictError if either exists and belongs to another owner or model.
    """
    model_id, endpoint_id = names.model(model), names.endpoint(model)
    records = api.versions(model_id)
    resource = api.endpoint(endpoint_id)
    claimed = True
    if resource is None:
        _check_left(api, names, model)
    else:
        where = api.url(api.endpoint_name(endpoint_id))
        candidate = names.found_endpoint(endpoint_id, resource, records or (), where)
        claimed = names.own.claims(model, candidate)
    names.check_versions(model, records or (), api.url(api.model_name(model_id)))
    versions = tuple(filter(None, map(version_of, records or ())))
    return Snapshot(
        model_id,
        endpoint_id,
        records is not None,
        tuple(version for version in versions if version.current),
        tuple(version for version in versions if not version.current),
        endpoint_of(resource, versions, model_id) if resource else None,
        claimed,
        len(records or ()),
    )


def _check_left(api: VertexApi, names: Names, model: str) -> None:
    """Raise ConflictError if an endpoint under a former name may be the target's."""
    former = names.own.former(model)
    record = api.endpoint(former) if former else None
    if record is not None:
        where = api.url(api.endpoint_name(former))
        former_endpoint = names.found_endpoint(former, record, api.versions(former) or (), where)
        names.own.check_former(model, former_endpoint)
    names.own.check_beside(model, _beside(api, names, model))


def _beside(api: VertexApi, names: Names, model: str) -> Iterator[Resource]:
    """Yield the endpoints of a model, of all owners."""
    for record in api.labelled_endpoints(MODEL, names.own.tags(model)[MODEL]):
        name = last_part(str(record["name"]))
        yield names.found_endpoint(name, record, (), api.url(str(record["name"])))


def check_endpoint(api: VertexApi, names: Names, model: str) -> Record | None:
    """Read a model's endpoint, or None; raises ConflictError as `read_snapshot` does."""
    endpoint_id = names.endpoint(model)
    resource = api.endpoint(endpoint_id)
    if resource is None:
        _check_left(api, names, model)
        return None
    where = api.url(api.endpoint_name(endpoint_id))
    versions = () if Owner.read(resource.get("labels", {})) else api.versions(names.model(model))
    names.own.claims(model, names.found_endpoint(endpoint_id, resource, versions or (), where))
    return resource


def require_version(api: VertexApi, snapshot: Snapshot, revision_id: str) -> Version:
    """Return the version that is a revision now; raises ConflictError if there is none."""
    version = snapshot.version(revision_id)
    if version is None:
        raise out_of_date(
            f"there is no version {revision_id} of {snapshot.model_id}",
            api.url(api.model_name(snapshot.model_id)),
        )
    return version


def require_endpoint(api: VertexApi, snapshot: Snapshot) -> Endpoint:
    """Return the endpoint; raises ConflictError if there is none."""
    if snapshot.endpoint is None:
        raise out_of_date(
            f"there is no endpoint {snapshot.endpoint_id}",
            api.url(api.endpoint_name(snapshot.endpoint_id)),
        )
    return snapshot.endpoint
