"""The manifest of a revision: its files and its origin; written last.

A model with a manifest is complete. A manifest is only created, never replaced, so two clients that
upload the same revision end up with one manifest.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from cloudserve._version import __version__
from cloudserve.errors import ConflictError
from cloudserve.savedmodel import FileEntry, Tree
from cloudserve.savedmodel.tree import digest as tree_digest


class ManifestFile(msgspec.Struct, frozen=True):
    """One file of a manifest."""

    path: str
    size: int
    sha256: str


class Origin(msgspec.Struct, frozen=True):
    """The origin of a revision; unknown fields are empty."""

    who: str
    tensorflow: str = ""
    """The TensorFlow version that wrote the model, such as `2.21.0`."""
    commit: str = ""
    """The git commit of the project, in hex."""
    dirty: bool | None = None
    """Whether the project's tracked files differed from that commit."""
    registered: str = ""
    """The version of a registry that the files are, such as `models:/half/3`."""


class Manifest(msgspec.Struct, frozen=True):
    """The files of a revision: the commit marker of its upload."""

    digest: str
    size: int
    files: tuple[ManifestFile, ...]
    who: str
    time: datetime
    tensorflow: str = ""
    commit: str = ""
    dirty: bool | None = None
    registered: str = ""
    tool: str = f"cloudserve {__version__}"
    schema: int = 1


def manifest_of(tree: Tree, origin: Origin) -> Manifest:
    """Return the manifest of a tree that has just been uploaded."""
    return Manifest(
        tree.digest,
        tree.size,
        tuple(ManifestFile(f.path, f.size, f.sha256) for f in tree.files),
        time=datetime.now(UTC),
        **msgspec.structs.asdict(origin),
    )


def read_manifest(data: bytes, where: str) -> Manifest:
    """Decode a manifest; raises ConflictError, which names `where`, if it is not one."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise ConflictError(
            f"the manifest cannot be read: {error}",
            where=where,
            hint="delete the manifest and deploy the version again",
        ) from error


def check_manifest(manifest: Manifest, digest: str, where: str) -> None:
    """Raise ConflictError unless a manifest has this digest and is consistent."""
    if manifest.digest != digest:
        raise ConflictError(
            f"there is another model in the bucket (digest {manifest.digest})",
            where=where,
            hint="delete the manifest and deploy the version again",
        )
    entries = tuple(FileEntry(file.path, file.size, file.sha256) for file in manifest.files)
    if tree_digest(entries) != digest:
        raise ConflictError(
            "the manifest's digest does not match its files",
            where=where,
            hint="delete the manifest and deploy the version again",
        )
