"""One reading of SageMaker for one model: its endpoint and its SageMaker Models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cloudserve.release.types import Deployed, Deployment, Reading, Revision, State

from .context import AwsContext
from .fields.read_back import fields_of_endpoint, fields_of_model
from .records import (
    CHANGING,
    DIGEST,
    NUMBER,
    Endpoint,
    revision_id_of,
    revision_of,
    source_of,
)

if TYPE_CHECKING:
    from .api.calls import SageMaker
    from .api.scaling import Scaled

NO_SCALING: Mapping[str, Scaled] = MappingProxyType({})
NOT_THERE = "not on the endpoint"
"""The reason of a revision that has a SageMaker Model and answers no requests."""


@dataclass(frozen=True, slots=True)
class TaggedModel:
    """A SageMaker Model with its tags."""

    name: str
    record: Mapping[str, Any]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What SageMaker has of a model; `Reading.snapshot` of the SageMaker adapter."""

    endpoint: Endpoint | None = None
    models: Mapping[str, TaggedModel] = field(default_factory=dict)
    """Revision id -> the SageMaker Model of that name, whoever owns it."""
    staging: Mapping[str, Endpoint | None] = field(default_factory=dict)
    """Revision id -> the endpoint of that revision alone, as far as the reading needed it."""


def snapshot_of(reading: Reading) -> Snapshot:
    """Return the adapter's own part of a reading."""
    snapshot: Snapshot = reading.snapshot
    return snapshot


class SnapshotReader:
    """Reads one target's models."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context

    def read(self, model: str) -> Reading:
        """Read the endpoint, its configuration, and the model's SageMaker Models by their tags.

        `traffic` has an entry for each variant, 0 for idle ones. Raises ConflictError for an
        endpoint of that name that is another owner's, or another model's.
        """
        base, target = self._aws.names.endpoint(model), self._aws.names.target
        endpoint = self._aws.owned.endpoint(model)
        models = dict(self._models(base))
        ours = {
            name: tagged for name, tagged in models.items() if self._is_ours(model, name, tagged)
        }
        if endpoint is None:
            revisions = tuple(_deployed(name, tagged, None, base) for name, tagged in ours.items())
            return Reading(Deployment(model, target, revisions), Snapshot(None, models))
        if self._aws.options.staged:
            self._aws.api.list_for_offline(f"{base}-v")
        staging = self._read_staging(ours, endpoint, base)
        scaled = self._scaled(endpoint)
        shares = _shares(endpoint, base)
        for name in ours:
            if staging.get(name) or endpoint.shadowed_by(name, base):
                shares.setdefault(name, 0.0)
        revisions = tuple(
            _deployed(name, tagged, staging.get(name, endpoint), base, scaled)
            for name, tagged in ours.items()
        )
        deployment = Deployment(
            model, target, revisions, shares, endpoint.state, endpoint.reason, endpoint.name
        )
        return Reading(deployment, Snapshot(endpoint, models, staging))

    def _models(self, base: str) -> Iterator[tuple[str, TaggedModel]]:
        for name in self._aws.api.model_names(f"{base}-v"):
            revision_id = revision_id_of(name, base)
            tagged = tagged_model(self._aws.api, name) if revision_id else None
            if revision_id and tagged:
                yield revision_id, tagged

    def _is_ours(self, model: str, revision_id: str, tagged: TaggedModel) -> bool:
        revision = revision_of(tagged.tags)
        if revision is None or revision.id != revision_id:
            return False
        return self._aws.owned.is_own(model, tagged.record, tagged.tags)

    def _scaled(self, endpoint: Endpoint) -> Mapping[str, Scaled]:
        """Read which variants are scaled, if the target is: others need no permission for it."""
        if self._aws.options.autoscaling is None:
            return {}
        names = (str(spec["VariantName"]) for spec in endpoint.variants)
        return self._aws.api.scaling.targets(endpoint.name, names)

    def _read_staging(
        self, ours: Mapping[str, TaggedModel], endpoint: Endpoint, base: str
    ) -> dict[str, Endpoint | None]:
        """Read the endpoints of revisions that the model's endpoint does not serve."""
        return {
            name: self._aws.api.endpoint(tagged.name)
            for name, tagged in ours.items()
            if self._aws.options.staged
            and not endpoint.serves(name, base)
            and not endpoint.shadowed_by(name, base)
        }


def _deployed(
    revision_id: str,
    tagged: TaggedModel,
    endpoint: Endpoint | None,
    base: str,
    scaled: Mapping[str, Scaled] = NO_SCALING,
) -> Deployed:
    """Return the revision of a SageMaker Model, which `endpoint` may serve."""
    state, reason = _state(revision_id, endpoint, base)
    fields = fields_of_model(tagged.record, tagged.tags)
    if endpoint is not None:
        fields |= fields_of_endpoint(endpoint, scaled, revision_id, base)
    return Deployed(
        Revision(int(tagged.tags[NUMBER]), tagged.tags[DIGEST]),
        state,
        source_of(tagged.record),
        tagged.record["CreationTime"],
        reason,
        fields,
    )


def _state(revision_id: str, endpoint: Endpoint | None, base: str) -> tuple[State, str | None]:
    if endpoint and endpoint.shadowed_by(revision_id, base):
        return State.READY, None
    if endpoint is None or not _concerns(endpoint, revision_id, base):
        return State.READY, NOT_THERE
    return endpoint.state, endpoint.reason if endpoint.state is State.FAILED else None


def tagged_model(api: SageMaker, name: str) -> TaggedModel | None:
    """Read a SageMaker Model and its tags, or None."""
    record = api.model(name)
    return TaggedModel(name, record, api.tags(str(record["ModelArn"]))) if record else None


def staging_endpoint(
    api: SageMaker, snapshot: Snapshot, revision_id: str, name: str
) -> Endpoint | None:
    """Return a revision's own endpoint; it is read unless the snapshot covers it."""
    if revision_id in snapshot.staging:
        return snapshot.staging[revision_id]
    return api.endpoint(name)


def _shares(endpoint: Endpoint, base: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for variant, share in endpoint.shares.items():
        revision_id = endpoint.revision(variant, base)
        shares[revision_id] = shares.get(revision_id, 0.0) + share
    return shares


def _concerns(endpoint: Endpoint, revision_id: str, base: str) -> bool:
    """Return whether an endpoint's state is a revision's: on it, or perhaps about to be."""
    return endpoint.serves(revision_id, base) or (
        endpoint.status in CHANGING and not endpoint.staged
    )
