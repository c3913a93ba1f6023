"""The keys of a model's files, manifests, ledger and lock in its bucket.

cloudserve/MODEL/revisions/REVISION/MODEL/NUMBER/…   the SavedModel's files
cloudserve/MODEL/manifests/REVISION.json             written last: the files are whole
cloudserve/MODEL/removals/REVISION.json              the manifest, while the files are deleted
cloudserve/MODEL/targets/TARGET/ledger/0000000001.json …  one object an event, create-only
cloudserve/MODEL/batch/in/DIGEST/NAME                local files of instances, for batch jobs
cloudserve/lock.PLATFORM/PLACE/ENDPOINT.json         who is changing the endpoint now
cloudserve/MODEL/targets/TARGET/lock.json            the same, for adapters without `lock_name`

A project with a name has its models under `cloudserve/project.NAME/` instead: no model's name has
a dot, so that projects which share a bucket never share a file. The lock is not below it: an
endpoint has one lock in the bucket, whichever target or project wants it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.release.types import Location, Revision

ROOT = "cloudserve"
MANIFESTS = "manifests/"
"""The folder of the manifests below a model's own."""


def folder_of(model: str, project: str = "") -> str:
    """Return the prefix of all that is kept of a model, which a project's name separates."""
    return f"{ROOT}/project.{project}/{model}/" if project else f"{ROOT}/{model}/"


@dataclass(frozen=True, slots=True)
class Layout:
    """The keys of one model on one target in one bucket."""

    bucket: str
    model: str
    target: str
    project: str = ""
    """The project's name; "" where it has none."""
    endpoint: str = ""
    """What the provider calls the endpoint, from `Locking.lock_name`; "" where it does not say."""

    def location(self, revision: Revision) -> Location:
        """Return where a revision's SavedModel lies."""
        root = f"{self._root}/revisions/{revision.id}/"
        return Location(self.bucket, root, self.model, revision.number)

    def manifest(self, revision: Revision) -> str:
        """Return the key of a revision's manifest."""
        return f"{self.manifests}{revision.id}.json"

    @property
    def root(self) -> str:
        """Return the prefix of all that is kept of the model."""
        return folder_of(self.model, self.project)

    @property
    def manifests(self) -> str:
        """Return the prefix of the manifests."""
        return f"{self.root}{MANIFESTS}"

    @property
    def removals(self) -> str:
        """Return the prefix of the manifests of revisions whose files are being deleted."""
        return f"{self._root}/removals/"

    @property
    def targets(self) -> str:
        """Return the prefix of what is kept of the model's targets."""
        return f"{self._root}/targets/"

    @property
    def ledger(self) -> str:
        """Return the prefix of the ledger's entries."""
        return f"{self._root}/targets/{self.target}/ledger/"

    @property
    def lock(self) -> str:
        """Return the key of the lock."""
        if self.endpoint:
            return f"{ROOT}/lock.{self.endpoint}.json"
        return f"{self._root}/targets/{self.target}/lock.json"

    @property
    def _root(self) -> str:
        return self.root.removesuffix("/")
