"""The contract of an adapter: `Provider`, a platform that serves models.

Its bucket's contract, `BlobStore`, is in `cloudserve.storage.contract`.

Built-in and foreign adapters come through the same door: an entry point in the group
`cloudserve.adapters` that names a callable `(Target, Mapping[str, str]) -> Provider`, the second
argument being the environment. Making a provider reaches no network.
`cloudserve.testing` has the contract as an abstract test suite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from cloudserve.known.tape import Tape
from cloudserve.release.capacity import Machines, Stage
from cloudserve.release.collection import Hold
from cloudserve.release.destination import Destination
from cloudserve.release.inspection.drift import Setting
from cloudserve.release.types import Action, Artifact, Location, Reading, Revision
from cloudserve.storage.contract import Blob, BlobStore, Expect
from cloudserve.storage.events import Reporter

__all__ = [
    "Approval",
    "AskedProvider",
    "Blob",
    "BlobStore",
    "CollectingProvider",
    "CredentialsProvider",
    "Expect",
    "Hold",
    "InspectingProvider",
    "Locking",
    "MachineProvider",
    "Machines",
    "MeasuredProvider",
    "ProtectingProvider",
    "Provider",
    "RecordedProvider",
    "RegistryProvider",
    "Reporter",
    "ServingProvider",
    "Setting",
    "SplitAnswer",
    "SplitProvider",
    "TrafficCounts",
    "UndeployProvider",
]  # adapters import all of them from here


class Provider(Protocol):
    """A platform that serves models. One instance speaks for one target.

    What a target makes is its own (`cloudserve.release.owner`): `read` raises ConflictError,
    naming the owner, for an endpoint of another target, project or bucket, and returns no revision
    of another. No action touches anything that is not the target's.
    """

    @property
    def blobs(self) -> BlobStore:
        """Return the target's bucket."""
        ...

    def destination(self) -> Destination:
        """Return where the calls go: the offline clouds, or which account, as whom.

        Raises UserError when some of the calls would reach a cloud and others would not. An
        account that cannot be found out is "": the calls that need it say why.
        """
        ...

    def read(self, model: str) -> Reading:
        """Read what the platform has of a model; an empty Deployment when it has nothing.

        `Reading.snapshot` holds what the adapter's own plans need beside the Deployment.
        """
        ...

    def check(self, artifact: Artifact) -> tuple[str, ...]:
        """Return what to warn of before a model is sent, a sentence each.

        Raises UserError for what the platform would refuse: size, files, a bucket elsewhere; and
        ModelError for a model that the platform's server cannot answer with. Reads, never changes.
        """
        ...

    def plan_deploy(
        self, reading: Reading, revision: Revision, location: Location
    ) -> tuple[Action, ...]:
        """Return the actions that deploy a revision beside the others; () if it is deployed.

        The first revision of a model gets all traffic, later ones none. A revision that failed is
        replaced. Plans are made from `reading`: resources that it covers are not read again, and
        the same reading gives the same actions, because an approved plan is compared with a new
        one. Changes nothing.
        """
        ...

    def plan_traffic(
        self, reading: Reading, revision_id: str, percent: int = 100
    ) -> tuple[Action, ...]:
        """Return the actions that give one deployed revision this share; () if it has it.

        The others share the rest as before (`cloudserve.release.traffic.split`).
        Raises UserError for a percentage (1 to 99) where the platform cannot split traffic.
        """
        ...

    def perform(self, action: Action, reporter: Reporter) -> None:
        """Carry out one action of this provider and wait for its end; safe to repeat.

        Raises RemoteError with the platform's reason when the operation fails.
        """
        ...

    def predict(self, model: str, body: bytes, revision_id: str | None = None) -> bytes:
        """Send one JSON request (`{"instances": [...]}`) and return the platform's JSON answer.

        Without `revision_id` the platform's traffic rules choose. Raises UserError for one that
        the platform gives no way to ask while others have traffic too, ConflictError for an
        endpoint of another owner. A failure that a platform reports inside a successful HTTP answer
        is raised as RemoteError all the same.
        """
        ...


@runtime_checkable
class RecordedProvider(Protocol):
    """A provider whose reads can be kept for `--offline`, and repeated without a network."""

    def record(self, tape: Tape) -> None:
        """Send all reads of the platform and the bucket through a tape.

        With an offline tape no client is made, and `destination` returns what is known without a
        call: an unknown account is "".
        """
        ...


@runtime_checkable
class CredentialsProvider(Protocol):
    """A provider whose account is decided by the caller's credentials, and not by the target."""

    def credentials(self) -> str:
        """Return the name of the caller's credentials on this machine; "" if they have none.

        Reaches no network. A state that was kept with other credentials is not used offline.
        """
        ...


@runtime_checkable
class Locking(Protocol):
    """A provider that says what a release's lock protects: one lock for each endpoint."""

    def lock_name(self, model: str) -> str:
        """Return a model's endpoint as `PLATFORM/PLACE/ENDPOINT`, of [a-zA-Z0-9._-] parts.

        Two targets that would change the same endpoint return the same name. Reaches no network.
        """
        ...


@runtime_checkable
class AskedProvider(Protocol):
    """A provider that says whether a revision can be asked before it has traffic."""

    def why_not_asked(self, reading: Reading, revision_id: str) -> str:
        """Return why `predict` cannot ask this deployed revision alone; "" if it can.

        The reason is a clause, such as `the endpoint's traffic decides who answers`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Approval:
    """Whether a revision is approved, in one sentence."""

    is_given: bool
    sentence: str
    """A clause without a full stop, such as `v2-… waits for its approval (Pending)`."""
    hint: str = ""
    """How to approve it."""
    where: str = ""


@runtime_checkable
class RegistryProvider(Protocol):
    """A provider whose platform has a registry in which revisions can be approved."""

    @property
    def registry(self) -> str:
        """Return what holds the approvals: `the model package group mnist`; "" if nothing does."""
        ...

    def approval(self, model: str, revision: Revision) -> Approval:
        """Read whether the registry has this digest as approved.

        Raises ConflictError for a registry of another owner.
        """
        ...


@dataclass(frozen=True, slots=True)
class SplitAnswer:
    """The answer of the revision that the platform's traffic split chose for a request."""

    revision: str
    """The revision's id; "" if the answer does not say who gave it."""
    error: str = ""
    """Why the request failed."""
    body: bytes = b""
    """The answer of a request that did not fail."""


@runtime_checkable
class SplitProvider(Protocol):
    """A provider whose traffic split chooses the revision, and whose answers say which it was."""

    def predict_by_split(self, model: str, body: bytes) -> SplitAnswer:
        """Send one JSON request to the endpoint; a failed one is an answer too.

        Raises UserError for a request that the platform refuses for its size, ConflictError for an
        endpoint of another owner.
        """
        ...


@dataclass(frozen=True, slots=True)
class PlatformAnswer:
    """The answer to a prediction, and the revision that gave it."""

    body: bytes
    revision: str = ""
    """The revision's id; "" if the platform does not say who answered."""


@runtime_checkable
class AnsweringProvider(Protocol):
    """A provider for clients: its answers name the revision, and it retries nothing by itself."""

    def ask(
        self, model: str, body: bytes, revision_id: str | None, seconds: float
    ) -> PlatformAnswer:
        """Send one JSON request, once, to the endpoint or to one revision.

        `seconds` limits the wait for the answer. Raises what `Provider.predict` raises, and
        LostAnswerError if the request was sent and its answer did not arrive.
        """
        ...

    def request_limit(self, model: str) -> int:
        """Return the largest request in bytes; 0 without a limit."""
        ...


class CloudEndpoint(Protocol):
    """One endpoint by its own name: the entry points `cloudserve.endpoints`, by provider.

    Made by a callable (address, its parts, environment), which reaches no network. The address
    of another package's adapter is `PROVIDER://…`; its only part is `target_model`.
    """

    @property
    def request_limit(self) -> int:
        """Return the largest request in bytes; 0 without a limit."""
        ...

    def destination(self) -> Destination:
        """Return the offline clouds, or the account of a cloud, that the calls reach."""
        ...

    def ask(self, body: bytes, version: str, seconds: float) -> PlatformAnswer:
        """Send one JSON request, once. Raises what `AnsweringProvider.ask` raises."""
        ...


@dataclass(frozen=True, slots=True)
class TrafficCounts:
    """The users' requests to a revision in some minutes, as the platform's metrics have them."""

    requests: int = 0
    errors: int = 0
    """The requests among them that failed."""
    timed: int = 0
    """The requests whose duration is known; it may differ from `requests` while metrics arrive."""
    slow: int = 0
    """The requests among the timed ones that took too long."""


@runtime_checkable
class MeasuredProvider(Protocol):
    """A provider that reads the platform's metrics of each revision."""

    def count_traffic(
        self, model: str, revision_id: str, since: datetime, until: datetime, slow: float
    ) -> TrafficCounts:
        """Return the counts of the whole minutes from `since` to `until`, without `until`.

        A request is slow if it took more than `slow` seconds.
        """
        ...

    def latency(
        self, model: str, revision_id: str, since: datetime, until: datetime, percentile: float
    ) -> tuple[float, int]:
        """Return a percentile (0 to 100) of the requests' seconds, and their number.

        0.0 and 0 if there was no request.
        """
        ...


@runtime_checkable
class ServingProvider(Protocol):
    """A provider that says what serves a deployed revision."""

    def server_of(self, model: str, revision_id: str) -> str:
        """Read the image or the runtime that serves a deployed revision; "" if it is unknown."""
        ...


@runtime_checkable
class UndeployProvider(Protocol):
    """What a Provider also has where models can be taken down; adapters of old may lack it."""

    def plan_undeploy(
        self, reading: Reading, revision_ids: tuple[str, ...] | None
    ) -> tuple[Action, ...]:
        """Return the actions that remove revisions from the platform; () if nothing is left.

        The revisions have no traffic. None removes everything that the target owns of the model:
        all revisions, also those with traffic, and the endpoint. Objects in the bucket stay, except
        copies that the platform serves from. The resource by which `read` finds a revision is
        removed last, so that an interrupted removal can be planned again. Changes nothing. Raises
        ConflictError for what is not cloudserve's.
        """
        ...


@runtime_checkable
class ProtectingProvider(Protocol):
    """A provider whose platform deletes a resource although others use it."""

    def check_unused(self, actions: tuple[Action, ...]) -> tuple[str, ...]:
        """Return warnings, before the first change; raise ConflictError for a use by others."""
        ...


@runtime_checkable
class CollectingProvider(Protocol):
    """What an UndeployProvider also has where `cloudserve gc` removes what releases left behind."""

    def holds(self, reading: Reading) -> Mapping[str, Hold]:
        """Return the platform's reasons to keep revisions, by id.

        Such as a label or an alias that a person gave, or a use by a resource that is not the
        target's. Reads, never changes.
        """
        ...

    def plan_leftovers(self, reading: Reading, going: tuple[str, ...]) -> tuple[Action, ...]:
        """Return the actions that remove the target's unused resources of no revision in `going`.

        They are carried out after `plan_undeploy` of the revisions `going`. A resource that may be
        in use, or is not the target's, stays. Changes nothing.
        """
        ...


@runtime_checkable
class InspectingProvider(Protocol):
    """A provider whose settings `cloudserve diff --target` compares with the project file."""

    def settings(self, reading: Reading) -> tuple[Setting, ...]:
        """Return the settings of deployed revisions that are not as the target's fields say.

        Such as machine type, number of instances, image, environment. Values of environment
        variables are not returned, because they may be secrets. Reads, never changes.
        """
        ...


@runtime_checkable
class MachineProvider(Protocol):
    """A provider that knows the machines of a plan, which `cloudserve plan` shows."""

    def machines(self, reading: Reading, actions: tuple[Action, ...]) -> Sequence[Stage]:
        """Return all machines that are charged: now, then during and after each action.

        The last is what the plan leaves. Actions of another kind change nothing. Reads nothing.
        """
        ...
