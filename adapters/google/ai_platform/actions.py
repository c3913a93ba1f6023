"""The actions of AI Platform's plans."""

from __future__ import annotations

from typing import Any

from cloudserve.release.types import Revision

from ...actions import ModelStep, RevisionStep


class CreateModel(ModelStep, frozen=True):
    """Create the platform's model in a region."""

    region: str


class CreateVersion(ModelStep, frozen=True):
    """Create a version from a SavedModel directory in the bucket."""

    number: int
    digest: str
    source: str
    settings: dict[str, Any]
    """The other fields of a Version (ml v1)."""
    labels: dict[str, str]

    @property
    def revision(self) -> str:
        """Return the revision's id."""
        return Revision(self.number, self.digest).id


class AwaitVersion(RevisionStep, frozen=True):
    """Wait for a version that is being created."""


class DeleteVersion(RevisionStep, frozen=True):
    """Delete a version that failed."""


class RemoveVersion(RevisionStep, frozen=True):
    """Delete a version in whatever state it is."""


class DeleteModel(ModelStep, frozen=True):
    """Delete the platform's model, which has no versions."""


class SetDefault(RevisionStep, frozen=True):
    """Make a version the default one."""


Step = (
    CreateModel
    | CreateVersion
    | AwaitVersion
    | DeleteVersion
    | RemoveVersion
    | DeleteModel
    | SetDefault
)
OfVersion = CreateVersion | AwaitVersion | DeleteVersion | RemoveVersion | SetDefault
