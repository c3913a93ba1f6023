"""Vertex AI's records <-> the core's types. Pure functions.

A revision is a model version that has the revision's id as an alias: an alias belongs to one
version only, so a revision that is uploaded again moves to the new one. Its number and digest
stand in the version's description and, for people and filters, in its labels: a version's labels
are shown merged with those of its model (aiplatform v1, models.patch), its description is its own.
The description also has the container's fingerprint, and why a deployment failed: a version itself
has no state.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cloudserve.release.types import DIGITS_IN_ID, Deployed, Revision, State

from ..labels import DIGEST, HALF, NUMBER
from .fields.read_back import shown_fields

REVISION_ID = re.compile(rf"v(\d+)-[0-9a-f]{{{DIGITS_IN_ID}}}")
DESCRIPTION = re.compile(
    r"cloudserve v(\d+) sha256:([0-9a-f]{64}) container:([0-9a-f]+)(?:\n(.*))?", re.DOTALL
)
STATE, FAILED = "cloudserve-state", "failed"
LIVE, DEFAULT, PREVIOUS = "live", "default", "previous"
"""Aliases: `live` and `default` are of the revision with all traffic, `previous` was it before."""
LONGEST_REASON = 900


@dataclass(frozen=True, slots=True)
class Version:
    """A model version that is a revision of ours."""

    number: str
    """Vertex AI's own number of it."""
    revision: Revision
    source: str
    current: bool = True
    """Whether it is the revision now; False if a newer version replaced it."""
    aliases: frozenset[str] = frozenset()
    container: str | None = None
    """The fingerprint of what serves it, if it says."""
    created: datetime | None = None
    reason: str | None = None
    """Why it failed; None where it did not."""
    deployed: frozenset[str] = frozenset()
    """The endpoints that it is deployed on, by their names in full."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """The Model."""

    @property
    def failed(self) -> bool:
        """Return whether the last deployment of it failed for the model's sake."""
        return self.reason is not None


@dataclass(frozen=True, slots=True)
class Placed:
    """A DeployedModel: a version on the endpoint."""

    id: str
    revision: str | None
    """The revision's id, or None for a deployment that is not ours."""
    version: str
    resources: Mapping[str, Any]
    service_account: str
    created: str
    record: Mapping[str, Any] = field(default_factory=dict)
    """The DeployedModel."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint with what is deployed on it."""

    name: str
    """In full: `projects/P/locations/L/endpoints/E`."""
    placed: tuple[Placed, ...] = ()
    split: Mapping[str, int] = field(default_factory=dict)
    """DeployedModel id -> percent."""
    dns: str = ""
    """The endpoint's own host; "" for one on the shared host."""
    dedicated: bool = False
    etag: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    def placements(self, revision_id: str) -> tuple[Placed, ...]:
        """Return a revision's deployments, the newest first."""
        deployments = [p for p in self.placed if p.revision == revision_id]
        return tuple(sorted(deployments, key=lambda p: p.created, reverse=True))

    @property
    def shares(self) -> dict[str, float]:
        """Return revision id (or a stranger's DeployedModel id) -> share, 0 for idle ones."""
        shares: dict[str, float] = {}
        for placed in self.placed:
            name = placed.revision or placed.id
            shares[name] = shares.get(name, 0.0) + self.split.get(placed.id, 0) / 100
        return shares


def last_part(name: str) -> str:
    """Return what stands after the last "/": the platform may name a project by its number."""
    return name.rpartition("/")[2]


def version_of(record: Mapping[str, Any]) -> Version | None:
    """Return a model version as a revision, or None if cloudserve did not make it."""
    labels = record.get("labels", {})
    aliases = frozenset(record.get("versionAliases", ()))
    match = DESCRIPTION.fullmatch(record.get("versionDescription", ""))
    revision = Revision(int(match[1]), match[2]) if match else _by_labels(labels, aliases)
    if revision is None:
        return None
    # The label may be the model's; the reason is the version's own.
    failed = labels.get(STATE) == FAILED and (match is None or match[4] is not None)
    return Version(
        str(record.get("versionId", "")),
        revision,
        str(record.get("artifactUri", "")),
        revision.id in aliases,
        aliases,
        match[3] if match else None,
        _time(record.get("versionCreateTime") or record.get("createTime")),
        ((match and match[4]) or "no reason given") if failed else None,
        frozenset(str(on.get("endpoint", "")) for on in record.get("deployedModels", ())),
        record,
    )


def _by_labels(labels: Mapping[str, str], aliases: Collection[str]) -> Revision | None:
    """Return what the labels tell of a version whose description somebody changed.

    It must have the revision's id as an alias, too: labels may be the model's, which the versions
    of others have as well.
    """
    number, digest = labels.get(NUMBER, ""), "".join(labels.get(name, "") for name in DIGEST)
    if not (number.isascii() and number.isdigit() and len(digest) == HALF * 2):
        return None
    revision = Revision(int(number), digest)
    return revision if revision.id in aliases else None


def endpoint_of(record: Mapping[str, Any], versions: Iterable[Version], model_id: str) -> Endpoint:
    """Return an endpoint, with the deployments of these versions of a model known by revision."""
    revisions = {version.number: version.revision.id for version in versions}
    placed = (
        _placed(deployed, revisions, model_id) for deployed in record.get("deployedModels", ())
    )
    return Endpoint(
        str(record["name"]),
        tuple(placed),
        dict(record.get("trafficSplit", {})),
        str(record.get("dedicatedEndpointDns", "")),
        bool(record.get("dedicatedEndpointEnabled")),
        str(record.get("etag", "")),
        dict(record.get("labels", {})),
        record,
    )


def _placed(record: Mapping[str, Any], revisions: Mapping[str, str], model_id: str) -> Placed:
    name, _, number = last_part(str(record.get("model", ""))).partition("@")
    version = str(record.get("modelVersionId") or number)
    return Placed(
        str(record["id"]),
        revisions.get(version) if name == model_id else None,
        version,
        record.get("dedicatedResources", {}),
        str(record.get("serviceAccount", "")),
        str(record.get("createTime", "")),
        record,
    )


def deployed(version: Version, endpoint: Endpoint | None) -> Deployed:
    """Return a version as the core knows it."""
    on = endpoint is not None and bool(endpoint.placements(version.revision.id))
    state = State.FAILED if version.failed and not on else State.READY
    reason = version.reason if state is State.FAILED else None if on else "not on the endpoint"
    placed = next(iter(endpoint.placements(version.revision.id)), None) if endpoint else None
    fields = shown_fields(
        version.record, placed.record if placed else {}, endpoint.record if endpoint else {}
    )
    return Deployed(version.revision, state, version.source, version.created, reason, fields)


def description(revision: Revision, container: str, reason: str = "") -> str:
    """Return a version's description; `version_of` reads it."""
    line = f"cloudserve v{revision.number} sha256:{revision.digest} container:{container}"
    return f"{line}\n{reason[:LONGEST_REASON]}" if reason else line


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
