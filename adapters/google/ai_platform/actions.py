"""The actions of AI Platform's plans."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudserve.release.types import Revision


class CreateModel(msgspec.Struct, frozen=True, tag="create-model"):
    """Create the platform's model in a region."""

    model: str
    region: str


class CreateVersion(msgspec.Struct, frozen=True, tag="create-version"):
    """Create a version from a SavedModel directory in the bucket."""

    model: str
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


class AwaitVersion(msgspec.Struct, frozen=True, tag="await-version"):
    """Wait for a version that is being created."""

    model: str
    revision: str


class DeleteVersion(msgspec.Struct, frozen=True, tag="delete-version"):
    """Delete a version that failed."""

    model: str
    revision: str


class RemoveVersion(msgspec.Struct, frozen=True, tag="remove-version"):
    """Delete a version in whatever state it is."""

    model: str
    revision: str


class DeleteModel(msgspec.Struct, frozen=True, tag="delete-model"):
    """Delete the platform's model, which has no versions."""

    model: str


class SetDefault(msgspec.Struct, frozen=True, tag="set-default"):
    """Make a version the default one."""

    model: str
    revision: str


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
