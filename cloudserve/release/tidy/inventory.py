"""The objects of one model in its bucket: which belong to which revision, and unknown ones.

Only what a manifest accounts for belongs to a revision: its files, the copies of its `code/`, its
archive. Everything else may be a person's, or of an upload that still runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cloudserve.errors import ConflictError
from cloudserve.release.collection import UnknownObject
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import ENTRY
from cloudserve.release.state.uploaded import number_of
from cloudserve.release.types import Revision
from cloudserve.storage.archive import CODE, DIGEST
from cloudserve.storage.contract import Blob, BlobStore
from cloudserve.storage.manifest import Manifest, check_manifest, read_manifest

REVISION_FILE = re.compile(r"(v[0-9]+-[0-9a-f]{12})\.json")
NO_MANIFEST = "no manifest names it: an upload may be running, or was interrupted"
OTHER_SIZE = "it has another size than the manifest says"
NO_ARCHIVE = "it is not an archive that cloudserve made"
INCONSISTENT = "this manifest does not fit its name or its own digest"
NOT_OURS = "cloudserve does not write such objects"


@dataclass(frozen=True, slots=True)
class Files:
    """The objects of one revision."""

    revision: Revision
    keys: tuple[str, ...]
    size: int
    """Their bytes."""
    is_complete: bool
    """Whether every file of the manifest exists."""
    has_manifest: bool = True
    """Whether the revision counts as uploaded."""
    is_interrupted: bool = False
    """Whether a removal of the files began and did not end."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The objects of one model."""

    files: Mapping[str, Files]
    """By revision id."""
    unknown: tuple[UnknownObject, ...]
    targets: tuple[str, ...]
    """The names of the targets that have a ledger of the model."""

    def is_interrupted(self, name: str) -> bool:
        """Return whether the deletion of a revision's files began and did not end."""
        return name in self.files and self.files[name].is_interrupted


def read_inventory(blobs: BlobStore, layout: Layout) -> Inventory:
    """List a model's objects. Raises ConflictError for an unreadable manifest."""
    return _Reader(blobs, layout, {blob.key: blob for blob in blobs.list(layout.root)}).read()


def read_files(blobs: BlobStore, layout: Layout, name: str) -> Files | None:
    """Return the objects of one revision, or None if it is not in the bucket."""
    prefixes = (f"{layout.root}revisions/{name}", f"{layout.manifests}{name}.json")
    listed = (blobs.list(prefix) for prefix in (*prefixes, f"{layout.removals}{name}.json"))
    objects = {blob.key: blob for group in listed for blob in group}
    return _Reader(blobs, layout, objects).read().files.get(name)


def read_manifest_of(blobs: BlobStore, layout: Layout, name: str) -> Manifest | None:
    """Return the manifest of a revision, also while its files are being deleted.

    Raises ConflictError for one that is unreadable, inconsistent or another revision's.
    """
    for prefix in (layout.manifests, layout.removals):
        key = f"{prefix}{name}.json"
        content = blobs.read(key)
        if content is not None:
            manifest = read_manifest(content[0], f"{blobs.url}/{key}")
            check_manifest(manifest, manifest.digest, f"{blobs.url}/{key}")
            if Revision(number_of(name), manifest.digest).id != name:
                raise ConflictError(
                    f"the manifest of {name} is another's",
                    where=key,
                    hint="deploy the version again, which writes its manifest",
                )
            return manifest
    return None


def expected_files(layout: Layout, revision: Revision, manifest: Manifest) -> dict[str, int]:
    """Return the keys of a revision's files with their sizes, without copies and archive."""
    prefix = layout.location(revision).saved_model
    return {prefix + file.path: file.size for file in manifest.files}


def target_names(blobs: BlobStore, layout: Layout) -> tuple[str, ...]:
    """Return the names of the targets that have a ledger of the model."""
    return _target_names(layout, (blob.key for blob in blobs.list(layout.targets)))


def _target_names(layout: Layout, keys: Iterable[str]) -> tuple[str, ...]:
    names = (key.removeprefix(layout.targets) for key in keys if key.startswith(layout.targets))
    return tuple(sorted({name.partition("/")[0] for name in names if "/ledger/" in name}))


@dataclass(frozen=True, slots=True)
class _Reader:
    blobs: BlobStore
    layout: Layout
    objects: Mapping[str, Blob]

    def read(self) -> Inventory:
        layout = self.layout
        manifests, removals = self._named(layout.manifests), self._named(layout.removals)
        files: dict[str, Files] = {}
        unknown: dict[str, str] = {}
        for name in sorted(manifests | removals):
            try:
                manifest = read_manifest_of(self.blobs, layout, name)
            except ConflictError:
                unknown[f"{layout.manifests}{name}.json"] = INCONSISTENT
                continue
            if manifest is not None:
                entry = self._files(name, manifest, unknown)
                files[name] = replace(
                    entry, has_manifest=name in manifests, is_interrupted=name in removals
                )
        known = {key for entry in files.values() for key in entry.keys}
        known |= {f"{layout.manifests}{name}.json" for name in files}
        known |= {f"{layout.removals}{name}.json" for name in removals}
        for key in self.objects.keys() - known - unknown.keys():
            if not self._is_state(key):
                unknown[key] = self._why_unknown(key)
        listed = [UnknownObject(k, self.objects[k].size, unknown[k]) for k in sorted(unknown)]
        names = _target_names(self.layout, self.objects)
        return Inventory(files, tuple(listed), names)

    def _files(self, name: str, manifest: Manifest, unknown: dict[str, str]) -> Files:
        """Return a revision's objects; those that differ from its manifest are unknown."""
        revision = Revision(number_of(name), manifest.digest)
        location = self.layout.location(revision)
        own = expected_files(self.layout, revision, manifest)
        is_complete = all(self._has(key, size) for key, size in own.items())
        code = f"{location.saved_model}{CODE}/"
        copies = {
            f"{location.root}{key.removeprefix(location.saved_model)}": size
            for key, size in own.items()
            if key.startswith(code)
        }
        keys = []
        for key, size in {**own, **copies}.items():
            if self._has(key, size):
                keys.append(key)
            elif key in self.objects:
                unknown[key] = OTHER_SIZE
        if location.archive in self.objects:
            head = self.blobs.head(location.archive)
            if head is not None and DIGEST in head.metadata:
                keys.append(location.archive)
            else:
                unknown[location.archive] = NO_ARCHIVE
        size = sum(self.objects[key].size for key in keys)
        return Files(revision, tuple(keys), size, is_complete)

    def _has(self, key: str, size: int) -> bool:
        return key in self.objects and self.objects[key].size == size

    def _named(self, prefix: str) -> set[str]:
        names = (key.removeprefix(prefix) for key in self.objects if key.startswith(prefix))
        return {match[1] for name in names if (match := REVISION_FILE.fullmatch(name))}

    def _is_state(self, key: str) -> bool:
        """Return whether an object is a ledger's entry or a lock."""
        if not key.startswith(self.layout.targets):
            return False
        name = key.removeprefix(self.layout.targets).partition("/")[2]
        return name == "lock.json" or bool(ENTRY.fullmatch(name.removeprefix("ledger/")))

    def _why_unknown(self, key: str) -> str:
        return NO_MANIFEST if key.startswith(f"{self.layout.root}revisions/") else NOT_OURS
