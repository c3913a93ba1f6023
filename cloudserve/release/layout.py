"""Where a model's files, manifests, ledger and lock lie in its bucket.

cloudserve/MODEL/revisions/REVISION/MODEL/NUMBER/…   the SavedModel's files
cloudserve/MODEL/manifests/REVISION.json             written last: the files are whole
cloudserve/MODEL/targets/TARGET/ledger/0000000001.json …  one object an event, create-only
cloudserve/MODEL/targets/TARGET/lock.json            who is changing the target now
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudserve.release.nouns import Location, Revision

ROOT = "cloudserve"


@dataclass(frozen=True, slots=True)
class Layout:
    """The keys of one model on one target in one bucket."""

    bucket: str
    model: str
    target: str

    def location(self, revision: Revision) -> Location:
        """Return where a revision's SavedModel lies."""
        root = f"{ROOT}/{self.model}/revisions/{revision.id}/"
        return Location(self.bucket, root, self.model, revision.number)

    def manifest(self, revision: Revision) -> str:
        """Return the key of a revision's manifest."""
        return f"{self.manifests}{revision.id}.json"

    @property
    def manifests(self) -> str:
        """Return the prefix of the manifests."""
        return f"{ROOT}/{self.model}/manifests/"

    @property
    def ledger(self) -> str:
        """Return the prefix of the ledger's entries."""
        return f"{ROOT}/{self.model}/targets/{self.target}/ledger/"

    @property
    def lock(self) -> str:
        """Return the key of the lock."""
        return f"{ROOT}/{self.model}/targets/{self.target}/lock.json"
