"""The uploaded revisions of a bucket: those that have a manifest."""

from __future__ import annotations

import re

from cloudserve.release.state.layout import Layout
from cloudserve.release.types import Revision
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.manifest import Manifest, check_manifest, read_manifest

_ID = re.compile(r"v([0-9]+)-([0-9a-f]{12})")


def is_uploaded(blobs: BlobStore, layout: Layout, revision: Revision) -> bool:
    """Return whether a revision is completely uploaded.

    Raises ConflictError if another model's manifest has the same id.
    """
    manifest = read_named(blobs, layout, revision.id)
    if manifest is None:
        return False
    check_manifest(manifest, revision.digest, f"{blobs.url}/{layout.manifest(revision)}")
    return True


def uploaded(blobs: BlobStore, layout: Layout) -> tuple[str, ...]:
    """Return the ids of the uploaded revisions, by number."""
    names = (
        blob.key.removeprefix(layout.manifests).removesuffix(".json")
        for blob in blobs.list(layout.manifests)
    )
    return tuple(sorted((name for name in names if _ID.fullmatch(name)), key=number_of))


def read_named(blobs: BlobStore, layout: Layout, name: str) -> Manifest | None:
    """Return the manifest of a revision by its id; raises ConflictError when it is unreadable."""
    key = f"{layout.manifests}{name}.json"
    stored = blobs.read(key)
    return read_manifest(stored[0], f"{blobs.url}/{key}") if stored else None


def revision_of(name: str) -> Revision:
    """Return the revision of an id; its digest is as long as the id has it."""
    return Revision(number_of(name), name.partition("-")[2])


def number_of(name: str) -> int:
    """Return the number in a revision's id."""
    match = _ID.fullmatch(name)
    return int(match[1]) if match else -1
