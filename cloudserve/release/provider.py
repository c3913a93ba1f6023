"""The two contracts an adapter fulfils: `Provider` (a platform) and `BlobStore` (its bucket).

Built-in and foreign adapters come through the same door: an entry point in the group
`cloudserve.adapters` that names a callable `(Target, Mapping[str, str]) -> Provider`, the second
argument being the environment. Making a provider reaches no network.
`cloudserve.testing` has the contract as an abstract test suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol, runtime_checkable

from cloudserve.release.destination import Destination
from cloudserve.release.nouns import Action, Artifact, Deployment, Location, Revision

Notify = Callable[[str], None]
"""Takes one line of progress for people: a state change, a retry, a wait."""


class Expect(Enum):
    """A precondition on what a key holds before a write."""

    ANYTHING = "anything"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Blob:
    """An object's listing entry. `token` changes with each write (S3 ETag, GCS generation)."""

    key: str
    size: int
    token: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The user metadata; empty in listings, which do not carry it."""

    @property
    def is_folder(self) -> bool:
        """Say whether this is no file but a "folder" of a console or of TensorFlow's GCS writer.

        Buckets have no folders: such tools write an empty object whose key ends with a slash.
        """
        return self.key.endswith("/") and self.size == 0


class BlobStore(Protocol):
    """One bucket. All methods raise RemoteError (status, what, where) when the service refuses."""

    @property
    def url(self) -> str:
        """Return the bucket as a URL without a trailing slash: `gs://bucket`."""
        ...

    def exists(self) -> bool:
        """Return whether the bucket is there."""
        ...

    def ensure(self, notify: Notify) -> None:
        """Make the bucket if it is not there."""
        ...

    def head(self, key: str) -> Blob | None:
        """Return the object's entry with its metadata, or None when it is not there."""
        ...

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and token, or None when it is not there."""
        ...

    def write(self, key: str, data: bytes, expect: Expect | str = Expect.ANYTHING) -> str:
        """Write an object atomically and return its token.

        A string `expect` is the token the present object must have. Raises ConflictError when
        the precondition does not hold; then nothing was written.
        """
        ...

    def upload(self, key: str, path: Path, metadata: Mapping[str, str]) -> None:
        """Write a file of any size, streamed and checksummed end to end."""
        ...

    def list(self, prefix: str) -> Iterator[Blob]:
        """Yield the entries under a prefix in key order; nothing when the bucket is missing.

        Folders (`Blob.is_folder`) are left out.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete an object; a missing one is no error."""
        ...


class Provider(Protocol):
    """A platform that serves models. One instance speaks for one target.

    What a target makes is its own (`cloudserve.release.owner`): `describe` raises ConflictError,
    naming the owner, for an endpoint of another target, project or bucket, and shows no revision
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

    def describe(self, model: str) -> Deployment:
        """Read what the platform has of a model; an empty Deployment when it has nothing."""
        ...

    def check(self, artifact: Artifact) -> tuple[str, ...]:
        """Return what to warn of before a model is sent, a sentence each.

        Raises UserError for what the platform would refuse: size, files, a bucket elsewhere; and
        ModelError for a model that the platform's server cannot answer with. Reads, never changes.
        """
        ...

    def plan_deploy(
        self, model: str, revision: Revision, location: Location, seen: Deployment
    ) -> tuple[Action, ...]:
        """Return the actions that put a revision beside what was seen; () when it is there.

        The first revision of a model gets all traffic, later ones none. Reads, never changes.
        A revision that is there but failed is replaced. The same is planned again while nothing
        changed: a plan that was approved is compared with one made anew.
        """
        ...

    def plan_traffic(
        self, model: str, revision_id: str, seen: Deployment, percent: int = 100
    ) -> tuple[Action, ...]:
        """Return the actions that give one deployed revision this share; () when it has it.

        The others share the rest as before (`cloudserve.release.planning.traffic.split`).
        Raises UserError for a percentage (1 to 99) where the platform cannot split traffic.
        """
        ...

    def perform(self, action: Action, notify: Notify) -> None:
        """Carry out one action of this provider and wait for its end; safe to repeat.

        Raises RemoteError with the platform's reason when the operation fails.
        """
        ...

    def predict(self, model: str, body: bytes, revision_id: str | None = None) -> bytes:
        """Send one JSON request (`{"instances": [...]}`) and return the platform's JSON answer.

        Without `revision_id` the platform's traffic rules choose. Raises UserError for one that
        the platform gives no way to ask while others have traffic too. A failure that a platform
        reports inside a successful HTTP answer is raised as RemoteError all the same.
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
class UndeployProvider(Protocol):
    """What a Provider also has where models can be taken down; adapters of old may lack it."""

    def plan_undeploy(
        self, model: str, revision_ids: tuple[str, ...] | None, seen: Deployment
    ) -> tuple[Action, ...]:
        """Return the actions that remove revisions from the platform; () where nothing is left.

        They have no traffic. With None all that the target owns of the model is removed: its
        revisions, those with traffic too, and its endpoint. Objects in the bucket stay, except
        copies that the platform serves from. What was removed in part by an earlier run is planned
        as far as it is left, so what `describe` tells a revision by is removed last. Reads, never
        changes. Raises ConflictError for what is not cloudserve's.
        """
        ...
