"""What a collection (`cloudserve gc`) found: revisions, why some stay, and unknown objects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hold:
    """A platform's reason not to remove a revision, as a clause: `it has the alias prod`."""

    reason: str
    files_only: bool = False
    """Whether the reason concerns the files in the bucket only."""


@dataclass(frozen=True, slots=True)
class Collectable:
    """A revision of the target, on the platform or in the bucket."""

    revision: str
    is_deployed: bool
    objects: int
    """The number of its objects in the bucket."""
    size: int
    """The bytes of these objects."""
    kept: str = ""
    """Why the revision stays, as a clause; "" if it is removed."""
    files_kept: str = ""
    """Why its files stay although the revision is removed from the platform."""

    @property
    def is_removed(self) -> bool:
        """Return whether it is removed from the platform or from the bucket."""
        return not self.kept and (self.is_deployed or not self.files_kept)

    @property
    def frees(self) -> int:
        """Return the bytes that its removal frees."""
        return 0 if self.kept or self.files_kept else self.size


@dataclass(frozen=True, slots=True)
class UnknownObject:
    """An object among the model's that no manifest, ledger or lock accounts for."""

    key: str
    size: int
    reason: str
    """A clause, such as `no manifest names it`."""


@dataclass(frozen=True, slots=True)
class Collection:
    """The revisions and unknown objects of one model on one target."""

    keep: int
    """The number of newest revisions that stay."""
    revisions: tuple[Collectable, ...]
    """The newest first."""
    unknown: tuple[UnknownObject, ...] = ()
    """They are listed, and never deleted."""

    @property
    def frees(self) -> int:
        """Return the bytes that are freed in the bucket."""
        return sum(revision.frees for revision in self.revisions)

    @property
    def removes(self) -> tuple[str, ...]:
        """Return the ids of the revisions that are removed."""
        return tuple(r.revision for r in self.revisions if r.is_removed)
