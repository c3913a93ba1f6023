"""Put a SavedModel's files into the bucket, the manifest last.

Who sees the manifest sees a whole model: it is written, create-only, after the last file. Files
that are there with the right size and digest are not sent again, so an interrupted upload goes on
where it stopped.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cloudserve._version import __version__
from cloudserve.errors import ConflictError, ModelError
from cloudserve.release.layout import Layout
from cloudserve.release.nouns import Revision
from cloudserve.release.provider import BlobStore, Expect, Notify
from cloudserve.savedmodel import FileEntry, Tree, read_tree

SHA256 = "cloudserve-sha256"


class ManifestFile(msgspec.Struct, frozen=True):
    """One file of a manifest."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a revision consists of: the commit marker of its upload."""

    digest: str
    size: int
    files: tuple[ManifestFile, ...]
    who: str
    time: datetime
    tool: str = f"cloudserve {__version__}"
    schema: int = 1


def is_uploaded(blobs: BlobStore, layout: Layout, revision: Revision) -> bool:
    """Say whether a revision is whole in the bucket.

    Raises ConflictError if another model's manifest stands under the same id.
    """
    key = layout.manifest(revision)
    found = blobs.read(key)
    if found is None:
        return False
    try:
        digest = msgspec.json.decode(found[0], type=Manifest).digest
    except msgspec.DecodeError as error:
        raise ConflictError(
            f"the manifest of {revision.id} cannot be read: {error}", where=f"{blobs.url}/{key}"
        ) from error
    if digest != revision.digest:
        raise ConflictError(
            f"{revision.id} is another model in the bucket (digest {digest})",
            where=f"{blobs.url}/{key}",
        )
    return True


def upload(
    blobs: BlobStore, layout: Layout, revision: Revision, source: Path, *, who: str, notify: Notify
) -> None:
    """Upload what is missing of a SavedModel directory, then its manifest.

    Raises ModelError when the directory is not, before and after, what was planned; then what was
    sent is deleted, because it may be other bytes than its digest says. Raises RemoteError when the
    service fails; what was sent until then stays and is not sent again.
    """
    tree = _read_as_planned(source, revision)
    sent = _send(blobs, layout.location(revision).saved_model, source, tree, notify)
    try:
        _read_as_planned(source, revision)
    except ModelError:
        if not is_uploaded(blobs, layout, revision):  # else another target's release vouches for it
            for key in sent:
                blobs.delete(key)
        raise
    _commit(blobs, layout, revision, tree, who)


def _read_as_planned(source: Path, revision: Revision) -> Tree:
    tree = read_tree(source)
    if tree.digest != revision.digest:
        raise ModelError(
            "the model changed since the release was planned",
            where=str(source),
            hint="let the export finish, then deploy again",
        )
    return tree


def _send(
    blobs: BlobStore, prefix: str, source: Path, tree: Tree, notify: Notify
) -> tuple[str, ...]:
    """Send the files that are missing; return their keys."""
    sent: list[str] = []
    there = {blob.key: blob.size for blob in blobs.list(prefix)}
    for entry in tree.files:
        key = prefix + entry.path
        if there.get(key) == entry.size and _same(blobs, key, entry):
            notify(f"{entry.path}: there already")
        else:
            notify(f"{entry.path}: {entry.size:,} bytes")
            blobs.upload(key, source / entry.path, {SHA256: entry.sha256})
            sent.append(key)
    return tuple(sent)


def _same(blobs: BlobStore, key: str, entry: FileEntry) -> bool:
    head = blobs.head(key)
    return head is not None and head.metadata.get(SHA256) == entry.sha256


def _commit(blobs: BlobStore, layout: Layout, revision: Revision, tree: Tree, who: str) -> None:
    files = tuple(ManifestFile(f.path, f.size, f.sha256) for f in tree.files)
    manifest = Manifest(tree.digest, tree.size, files, who, datetime.now(UTC))
    try:
        blobs.write(layout.manifest(revision), msgspec.json.encode(manifest), Expect.ABSENT)
    except ConflictError:
        # Another uploader of the same digest was first; of another digest, is_uploaded raises.
        is_uploaded(blobs, layout, revision)
