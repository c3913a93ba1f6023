"""Versions below a base path in a bucket: `BASE/NUMBER/…`, what TensorFlow Serving watches.

A number that another program put there is a version when its files are those of a whole SavedModel.
What cloudserve publishes also has `BASE/.cloudserve/NUMBER.json`, the manifest, written last: then
the files must be those. In a directory a number appears by one rename; in a bucket, where there is
none, `saved_model.pb` is the last of the files, without which nobody loads what is there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from cloudserve.errors import ConflictError, ModelError
from cloudserve.savedmodel import Tree, read_tree
from cloudserve.savedmodel.versions import MODEL_FILES
from cloudserve.storage.contract import Blob, BlobStore, Expect, PartStore
from cloudserve.storage.events import Direction, Ended, Observe, Started, ignore, serialized
from cloudserve.storage.manifest import Manifest, Origin, manifest_of, read_manifest
from cloudserve.storage.upload.outgoing import SHA256, Outgoing
from cloudserve.storage.upload.send import Sender

MANIFESTS = ".cloudserve/"
_NUMBER = re.compile(r"[0-9]{1,19}")
_LARGEST = 2**63 - 1
_UNNAMED = 1
_SHARD = re.compile(r"variables/variables\.data-([0-9]{5})-of-([0-9]{5})")
INDEX = "variables/variables.index"


@runtime_checkable
class RenamingStore(PartStore, Protocol):
    """A store that can give objects another prefix, all at once."""

    def rename_tree(self, source: str, target: str) -> None:
        """Make the objects below one prefix those below another; both end in "/".

        Raises ConflictError when there is something below the target.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A whole version in a bucket. The fingerprint changes when any of its objects does."""

    number: int
    prefix: str
    files: tuple[Blob, ...]
    manifest: Manifest | None
    fingerprint: str


def find_versions(store: BlobStore, base: str) -> dict[int, RemoteVersion]:
    """Return the whole versions below a base path, a prefix ending in "/" or empty, by number.

    Raises RemoteError when the service fails, ConflictError for a manifest that is none.
    """
    folders: dict[str, list[Blob]] = {}
    for blob in store.list(base):
        folder, slash, _ = blob.key.removeprefix(base).partition("/")
        if slash and not blob.is_folder:
            folders.setdefault(folder, []).append(blob)
    manifests = {blob.key for blob in folders.get(MANIFESTS.rstrip("/"), ())}
    found: dict[int, RemoteVersion] = {}
    for folder, blobs in folders.items():
        if not _NUMBER.fullmatch(folder) or int(folder) > _LARGEST:
            continue
        key = f"{base}{MANIFESTS}{int(folder)}.json"
        manifest = _manifest(store, key) if key in manifests else None
        version = _version(int(folder), f"{base}{folder}/", blobs, manifest)
        if _is_whole(version):
            found[version.number] = version
    return found


def find_versions_or_model(store: BlobStore, base: str) -> dict[int, RemoteVersion]:
    """Return the whole versions below a base path, or the SavedModel that the path itself is.

    A SavedModel's number is its folder's name, or 1. Raises as above.
    """
    blobs = tuple(blob for blob in store.list(base) if not blob.is_folder)
    if not any(blob.key == f"{base}{name}" for name in MODEL_FILES for blob in blobs):
        return find_versions(store, base)
    name = base.rstrip("/").rpartition("/")[2]
    number = int(name) if _NUMBER.fullmatch(name) and int(name) <= _LARGEST else _UNNAMED
    version = _version(number, base, blobs, None)
    return {number: version} if _is_whole(version) else {}


def publish(
    store: PartStore,
    base: str,
    number: int,
    source: Path,
    *,
    origin: Origin,
    observe: Observe = ignore,
) -> RemoteVersion:
    """Put a SavedModel below a base path under a number, which is there when it is whole.

    The same model again changes nothing. Raises ConflictError when the number is another model,
    ModelError when the directory changes meanwhile, RemoteError when the service fails.
    """
    tree = read_tree(source)
    target = f"{base}{number}/"
    there = find_versions(store, base).get(number)
    if there is not None and _is_tree(store, there, tree):
        return there
    if there is not None:
        raise ConflictError(
            f"version {number} is there and is another model",
            where=f"{store.url}/{target}",
            hint="publish it under a new number: servers do not load a number twice",
        )
    if isinstance(store, RenamingStore):
        staging = f"{base}.partial-{number}-{tree.digest[:12]}/"
        _send_same(store, staging, source, tree, observe)
        store.rename_tree(staging, target)
    else:
        _send_same(store, target, source, tree, observe)
        manifest = manifest_of(tree, origin)
        key = f"{base}{MANIFESTS}{number}.json"
        store.write(key, msgspec.json.encode(manifest), Expect.ABSENT)
    return find_versions(store, base)[number]


def _send_same(store: PartStore, prefix: str, source: Path, tree: Tree, observe: Observe) -> None:
    """Send a tree that does not change meanwhile; else what was sent is deleted again.

    Its objects say the digests of other bytes then, and would be taken for them.
    """
    sent: list[str] = []
    try:
        _send_all(store, prefix, source, tree, observe, sent)
    finally:
        try:
            _check_same(source, tree)
        except ModelError:
            for key in reversed(sent):  # the model file first: without it there is no version
                store.delete(key)
            raise


def _send_all(
    store: PartStore, prefix: str, source: Path, tree: Tree, observe: Observe, sent: list[str]
) -> None:
    """Send a tree, its model file last, over what an interrupted publication left."""
    observe = serialized(observe)
    observe(Started(Direction.UPLOAD, len(tree.files), tree.size))
    files = [
        Outgoing(f.path, source / f.path, prefix + f.path, f.size, {SHA256: f.sha256})
        for f in tree.files
    ]
    there = {blob.key: blob for blob in store.list(prefix)}
    for key in there.keys() - {file.key for file in files}:
        store.delete(key)
    for last in (False, True):
        if last:
            _check_same(source, tree)
        chosen = [file for file in files if (file.name in MODEL_FILES) is last]
        Sender(store, observe, sent=sent).send(chosen, there)
    observe(Ended())


def _check_same(source: Path, tree: Tree) -> None:
    if read_tree(source).digest != tree.digest:
        raise ModelError(
            "the model changed while it was published",
            where=str(source),
            hint="let the export finish, then publish again",
        )


def _manifest(store: BlobStore, key: str) -> Manifest | None:
    found = store.read(key)
    return read_manifest(found[0], f"{store.url}/{key}") if found else None


def _version(
    number: int, prefix: str, blobs: Iterable[Blob], manifest: Manifest | None
) -> RemoteVersion:
    files = tuple(blobs)
    text = "".join(f"{blob.key}\0{blob.size}\0{blob.token}\n" for blob in files)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    return RemoteVersion(number, prefix, files, manifest, fingerprint)


def _is_whole(version: RemoteVersion) -> bool:
    sizes = {blob.key.removeprefix(version.prefix): blob.size for blob in version.files}
    if version.manifest is not None:
        return all(sizes.get(file.path) == file.size for file in version.manifest.files)
    return any(name in sizes for name in MODEL_FILES) and _has_shards(sizes)


def _has_shards(sizes: Mapping[str, int]) -> bool:
    """Say whether all shards are there that the name of any promises, and the index with them."""
    shards = [match for name in sizes if (match := _SHARD.fullmatch(name))]
    promised = {int(match[2]) for match in shards}
    whole = not shards or promised == {len(shards)}
    return whole and (INDEX in sizes) == bool(shards)


def _is_tree(store: BlobStore, version: RemoteVersion, tree: Tree) -> bool:
    if version.manifest is not None:
        return version.manifest.digest == tree.digest
    wanted = {version.prefix + file.path: file.sha256 for file in tree.files}
    if wanted.keys() != {blob.key for blob in version.files}:
        return False
    heads = ((store.head(key), sha256) for key, sha256 in wanted.items())
    return all(head and head.metadata.get(SHA256) == sha256 for head, sha256 in heads)
