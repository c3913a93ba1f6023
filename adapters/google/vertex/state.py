"""What Vertex AI has of a model, read in two calls and told in the adapter's own nouns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudserve.errors import ConflictError

from ..versions import MODEL
from .records import Endpoint, Version, endpoint_of, owner_of, resource_id, version_of

if TYPE_CHECKING:
    from .api import VertexApi

OUT_OF_DATE = "run the same command again: the plan is out of date"


@dataclass(frozen=True, slots=True)
class Seen:
    """A model's versions that are revisions of ours, and its endpoint."""

    model_id: str
    exists: bool = False
    """Whether there is a model of that id, with versions of ours or not."""
    versions: tuple[Version, ...] = ()
    """The versions that are revisions now."""
    superseded: tuple[Version, ...] = ()
    """Versions that were revisions, before these were uploaded anew."""
    endpoint: Endpoint | None = None

    def version(self, revision_id: str) -> Version | None:
        """Return the version that is a revision now."""
        return next((v for v in self.versions if v.revision.id == revision_id), None)

    def holder(self, alias: str) -> Version | None:
        """Return the version that has an alias."""
        return next((v for v in self.versions if alias in v.aliases), None)


def look(api: VertexApi, model: str) -> Seen:
    """Read a model and its endpoint.

    Raises ConflictError when either is there under this name and belongs to another model.
    """
    model_id = resource_id(model)
    records = api.versions(model_id)
    owners = {owner_of(record) for record in records or ()}
    if owners:
        # Versions that somebody adds by hand have no label; they are passed over.
        owner = model.lower() if model.lower() in owners else max(owners)
        _check_owner(model, owner, "model", api.url(api.model_name(model_id)))
    versions = tuple(filter(None, map(version_of, records or ())))
    found = api.endpoint(model_id)
    endpoint = endpoint_of(found, versions, model_id) if found else None
    if endpoint is not None:
        _check_owner(model, endpoint.model, "endpoint", api.url(endpoint.name))
    return Seen(
        model_id,
        records is not None,
        tuple(version for version in versions if version.current),
        tuple(version for version in versions if not version.current),
        endpoint,
    )


def require_version(api: VertexApi, seen: Seen, revision_id: str) -> Version:
    """Return the version that is a revision now; raises ConflictError where there is none."""
    version = seen.version(revision_id)
    if version is None:
        raise ConflictError(
            f"there is no version {revision_id} of {seen.model_id}",
            where=api.url(api.model_name(seen.model_id)),
            hint=OUT_OF_DATE,
        )
    return version


def require_endpoint(api: VertexApi, seen: Seen) -> Endpoint:
    """Return the endpoint; raises ConflictError where there is none."""
    if seen.endpoint is None:
        raise ConflictError(
            f"there is no endpoint {seen.model_id}",
            where=api.url(api.endpoint_name(seen.model_id)),
            hint=OUT_OF_DATE,
        )
    return seen.endpoint


def _check_owner(model: str, owner: str, what: str, where: str) -> None:
    if owner == model.lower():
        return
    whose = f"the model `{owner}`'s" if owner else "not cloudserve's"
    raise ConflictError(
        f"the {what} {resource_id(model)} is there and is {whose}",
        where=where,
        hint="release the model under another name; "
        f"if it is this model's and lost its label, give it {MODEL}={model.lower()}",
    )
