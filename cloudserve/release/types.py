"""The types of a release: frozen, and independent of any cloud."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudserve.release.capacity import Capacity
from cloudserve.release.collection import Collection
from cloudserve.release.destination import Destination
from cloudserve.release.verdict import Verdict

if TYPE_CHECKING:
    from cloudserve.savedmodel.checks.graph_needs import GraphNeeds

DIGITS_IN_ID = 12
UPLOAD = "upload"
CREATE_BUCKET = "create-bucket"
GIVE_TRAFFIC = "give-traffic"
DELETE_FILES = "delete-files"
KEEP_FILES = "keep-files"
ENGINE_KINDS = frozenset({UPLOAD, CREATE_BUCKET, GIVE_TRAFFIC, DELETE_FILES, KEEP_FILES})
"""The kinds of the actions that are the engine's own; all others are the provider's."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A model version with its content: `number` is the SavedModel's, `digest` its tree's SHA-256.

    The id names both, so that a changed model under an old number is another revision.
    """

    number: int
    digest: str

    @property
    def id(self) -> str:
        """Return the name that platforms and people use, such as `v2-0f3c5a9b7d21`."""
        return f"v{self.number}-{self.digest[:DIGITS_IN_ID]}"


NO_REVISION = Revision(0, "")
"""The revision of an undeployment if nothing is deployed."""


@dataclass(frozen=True, slots=True)
class Location:
    """The location of a revision's files in its bucket.

    `root` is a key prefix ending in "/"; the SavedModel itself is below it at
    `MODEL/NUMBER/`, the layout that TensorFlow Serving and SageMaker's container look for.
    """

    bucket: str
    """The bucket as a URL without a trailing slash: `gs://bucket` or `s3://bucket`."""
    root: str
    model: str
    number: int

    @property
    def saved_model(self) -> str:
        """Return the key prefix of the SavedModel directory, ending in "/"."""
        return f"{self.root}{self.model}/{self.number}/"

    @property
    def archive(self) -> str:
        """Return the key of the files' archive, for platforms that load no prefix."""
        return f"{self.root.removesuffix('/')}.tar.gz"

    @property
    def root_url(self) -> str:
        """Return the URL of the tree that holds `MODEL/NUMBER/`."""
        return f"{self.bucket}/{self.root}"

    @property
    def saved_model_url(self) -> str:
        """Return the URL of the SavedModel directory."""
        return f"{self.bucket}/{self.saved_model}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A SavedModel as a platform's limits see it."""

    tensorflow_version: str
    """The version that wrote it, such as `2.21.0`; "" if unknown."""
    size: int
    """The bytes of all files together."""
    files: int
    path: Path | None = None
    """The directory; None if only its figures are known."""
    ops: tuple[str, ...] = ()
    """The ops that a load looks up, sorted."""
    kernel_ops: tuple[str, ...] = ()
    """The ops that need a kernel on the server, sorted."""
    needs: GraphNeeds | None = None
    """What its graph asks of a TensorFlow beside its ops; None if nothing is known of it."""
    unrestored: tuple[str, ...] = ()
    """Variables that signatures read and TensorFlow Serving does not restore, sorted."""
    tags: tuple[str, ...] = ("serve",)
    """The tags of its MetaGraph."""


class State(StrEnum):
    """The state of a revision or an endpoint on a platform."""

    CREATING = "creating"
    READY = "ready"
    UPDATING = "updating"
    DELETING = "deleting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A revision as the platform holds it; the digest comes from the platform's labels or tags."""

    revision: Revision
    state: State
    source: str
    """The URL that the platform reads, such as `gs://bucket/…/mnist/1/`."""
    created: datetime | None = None
    reason: str | None = None
    """Why it failed, in the platform's words."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The target's fields as the platform describes them, by the names of the project file."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model on one target, as read from the platform."""

    model: str
    target: str
    revisions: tuple[Deployed, ...] = ()
    traffic: Mapping[str, float] = field(default_factory=dict)
    """Revision id -> share of the traffic; shares sum to 1, or nothing is live."""
    state: State | None = None
    """The endpoint's own state; None when there is no endpoint yet."""
    reason: str | None = None
    endpoint: str = ""
    """The platform's name of the resource that answers predictions."""

    def find(self, revision_id: str) -> Deployed | None:
        """Return the revision of this id, if the platform has it."""
        return next((d for d in self.revisions if d.revision.id == revision_id), None)

    @property
    def fingerprint(self) -> str:
        """Return a SHA-256 that changes when a revision, a state or the traffic does."""
        revisions = [
            f"{d.revision.id} {d.revision.digest} {d.state} {d.source}" for d in self.revisions
        ]
        traffic = [f"{name} {share:.4f}" for name, share in self.traffic.items() if share > 0]
        lines = [self.endpoint, str(self.state), *sorted(revisions), *sorted(traffic)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def live(self) -> str | None:
        """Return the id of the revision with the largest share, or None when none has any."""
        shares = {revision: share for revision, share in self.traffic.items() if share > 0}
        return max(shares, key=lambda revision: shares[revision], default=None)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a platform for one model: plans are made from it, and from nothing newer."""

    deployment: Deployment
    snapshot: Any = None
    """What the adapter read beside it, in the adapter's own types; opaque to the core."""


@dataclass(frozen=True, slots=True)
class Action:
    """One step of a plan: data that an executor performs, shows or records."""

    kind: str
    """The verb that the executor dispatches on: `upload`, `create-version`, `set-default`."""
    sentence: str
    """What it does, for people, in the imperative."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """A JSON object."""
    undo: str = ""
    """How to undo it by hand, in one sentence; empty if there is nothing to undo."""
    id: str = ""
    """Unique in its plan and stable between runs; by default the kind."""

    def __post_init__(self) -> None:
        if not isinstance(self.args, Mapping):
            raise TypeError("Action(kind, sentence, args): `args` is a JSON object")
        object.__setattr__(self, "id", self.id or self.kind)


@dataclass(frozen=True, slots=True)
class GateStep:
    """One check of a plan; all of them are made before the first action."""

    gate: str
    """The gate's name, one of `cloudserve.project.gate_settings.NAMES`."""
    sentence: str
    """What it checks, for people, in the imperative."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """What it checks against, a JSON object; an approved plan is compared by it."""


class Operation(StrEnum):
    """The verb of a release."""

    DEPLOY = "deploy"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    UNDEPLOY = "undeploy"
    GC = "gc"
    APPROVE = "approve"
    """An entry of the ledger alone: it has no plan."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An ordered list of actions towards one revision on one target. Each needs those before it."""

    operation: Operation
    target: str
    model: str
    revision: Revision
    """Of an undeploy the live one of those that it removes, else the newest, or NO_REVISION."""
    actions: tuple[Action, ...]
    source: Path | None = None
    """The local SavedModel directory, if the plan uploads one."""
    previous: str | None = None
    """The revision that was live when the plan was made."""
    percent: int = 100
    """The share of the traffic that a promotion is for."""
    state: str = ""
    """The fingerprint of the deployment that the plan was made from."""
    warnings: tuple[str, ...] = ()
    """Warnings about the platform's behaviour, a sentence each."""
    destination: Destination | None = None
    """The destination that the plan was made for."""
    breaking: tuple[str, ...] = ()
    """The requests of the live revision's clients that this one refuses, a sentence each."""
    removes: tuple[str, ...] = ()
    """The ids of the revisions that an undeploy or a collection removes."""
    everything: bool = False
    """Whether an undeploy removes the model as a whole, with its endpoint and its traffic."""
    gates: tuple[GateStep, ...] = ()
    """The checks before the first action, in their order."""
    verdicts: tuple[Verdict, ...] = field(default=(), compare=False)
    """The verdicts that are known when the plan is made; they are no part of what it does."""
    collection: Collection | None = field(default=None, compare=False)
    """What a collection found: the revisions, why some of them stay, and unknown objects."""
    capacity: Capacity | None = field(default=None, compare=False)
    """The machines before, while and after it; None if the adapter does not know them."""
    kept: str = ""
    """The URL in the bucket below which an undeploy leaves the files, manifests and ledgers."""
    alias: str = ""
    """The alias of MLflow's registry that names the revision afterwards; "" if none is asked."""
    as_of: datetime | None = field(default=None, compare=False)
    """The time of the last known state that it was made from; such a plan cannot be applied."""

    @property
    def makes_bucket(self) -> bool:
        """Return whether the plan creates the bucket, in which the lock and the ledger lie."""
        return any(action.kind == CREATE_BUCKET for action in self.actions)


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of an alias after a release. An error does not undo the release."""

    alias: str
    version: str = ""
    """The registry's version that has it, such as `models:/half/3`; "" if it was not set."""
    error: str = ""
    """Why it was not set, with what to do, in sentences."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a changing verb: the plan and the deployment after it."""

    plan: Plan
    deployment: Deployment
    verdicts: tuple[Verdict, ...] = ()
    """The verdicts of the plan's gates."""
    alias: Followed | None = None
    """The alias of MLflow's registry, if the target asks for one to follow the live version."""

    @property
    def changed(self) -> bool:
        """Return whether the plan had actions."""
        return bool(self.plan.actions)
