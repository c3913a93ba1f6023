"""Versions below a base path in a bucket: `BASE/NUMBER/…`, as TensorFlow Serving watches them.

A number from another program is a version if its files are a complete SavedModel. A version that
cloudserve publishes also has a manifest, `BASE/.cloudserve/NUMBER.json`, written last: then the
files must match it. In a directory a number appears by one rename. A bucket has no renames, so
`saved_model.pb` is the last file: without it nothing is loaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from cloudserve.errors import ConflictError, ModelError
from cloudserve.savedmodel import Tree, read_tree
from cloudserve.savedmodel.versions import MODEL_FILES
from cloudserve.storage.contract import Blob, BlobStore, Expect, PartStore
from cloudserve.storage.events import SILENT, Direction, Ended, Reporter, Started
from cloudserve.storage.manifest import Manifest, Origin, manifest_of, read_manifest
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.outgoing import SHA256, outgoing_files
from cloudserve.storage.upload.send import Sender

MANIFESTS = ".cloudserve/"
_NUMBER = re.compile(r"[0-9]{1,19}")
_LARGEST = 2**63 - 1
_UNNAMED = 1
_SHARD = re.compile(r"variables/variables\.data-([0-9]{5})-of-([0-9]{5})")
INDEX = "variables/variables.index"


@runtime_checkable
class RenamingStore(PartStore, Protocol):
    """A store that can move objects to another prefix atomically."""

    def rename_tree(self, source: str, target: str) -> None:
        """Move the objects below one prefix to another; both end in "/".

        Raises ConflictError if there are objects below the target.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A complete version in a bucket. The fingerprint changes if any of its objects does."""

    number: int
    prefix: str
    files: tuple[Blob, ...]
    manifest: Manifest | None
    fingerprint: str
    has_others: bool = False
    """Whether the prefix may have objects that are not the version's."""


def find_versions(
    store: BlobStore, base: str, suffixes: Collection[str] = ()
) -> dict[int, RemoteVersion]:
    """Return the complete versions below a base path, by number; the path is "" or ends in "/".

    A version has a SavedModel, or a file with one of the suffixes. Raises RemoteError if the
    service fails, ConflictError for an invalid manifest.
    """
    folders: dict[str, list[Blob]] = {}
    for blob in store.list(base):
        folder, slash, _ = blob.key.removeprefix(base).partition("/")
        if slash and not blob.is_folder:
            folders.setdefault(folder, []).append(blob)
    manifests = {blob.key for blob in folders.get(MANIFESTS.rstrip("/"), ())}
    versions: dict[int, RemoteVersion] = {}
    for folder, blobs in folders.items():
        if not _NUMBER.fullmatch(folder) or int(folder) > _LARGEST:
            continue
        key = f"{base}{MANIFESTS}{int(folder)}.json"
        manifest = _manifest(store, key) if key in manifests else None
        version = _version(int(folder), f"{base}{folder}/", blobs, manifest)
        if _is_complete(version, suffixes):
            versions[version.number] = version
    return versions


def find_versions_or_model(
    store: BlobStore, base: str, suffixes: Collection[str] = ()
) -> dict[int, RemoteVersion]:
    """Return the complete versions below a base path, or the model at the path itself.

    That is a SavedModel, or if there are no versions a file with one of the suffixes. Its number is
    its folder's name, or 1. Raises as `find_versions`.
    """
    blobs = tuple(blob for blob in store.list(base) if not blob.is_folder)
    if not any(blob.key == f"{base}{name}" for name in MODEL_FILES for blob in blobs):
        if versions := find_versions(store, base, suffixes):
            return versions
        if not blobs:
            return _one_file(store, base.rstrip("/"), suffixes)
        return _file_in(base, blobs, suffixes)
    version = _version(_number_of(base), base, blobs, None)
    return {version.number: version} if _is_complete(version, suffixes) else {}


def _file_in(
    base: str, blobs: Iterable[Blob], suffixes: Collection[str]
) -> dict[int, RemoteVersion]:
    """Return the version of a folder with a model of one file.

    Unless the folder has a number it may be any, such as a bucket: its folders are not the model's.
    """
    is_any = not _is_numbered(base)
    own = (blob for blob in blobs if not (is_any and "/" in blob.key.removeprefix(base)))
    version = replace(_version(_number_of(base), base, own, None), has_others=is_any)
    return {version.number: version} if _is_complete(version, suffixes) else {}


def _number_of(base: str) -> int:
    return int(_last_part(base)) if _is_numbered(base) else _UNNAMED


def _is_numbered(base: str) -> bool:
    name = _last_part(base)
    return bool(_NUMBER.fullmatch(name)) and int(name) <= _LARGEST


def _last_part(base: str) -> str:
    return base.rstrip("/").rpartition("/")[2]


def _one_file(store: BlobStore, key: str, suffixes: Collection[str]) -> dict[int, RemoteVersion]:
    if not key.lower().endswith(tuple(suffixes)):
        return {}
    folder = key[: key.rfind("/") + 1]
    files = [blob for blob in store.list(folder) if blob.key == key]
    version = replace(_version(_UNNAMED, folder, files, None), has_others=True)
    return {_UNNAMED: version} if files else {}


def is_unchanged(store: BlobStore, version: RemoteVersion) -> bool:
    """Return whether the bucket still has the files of a version, and no others below its prefix.

    Raises RemoteError if the service fails.
    """
    keys = {blob.key for blob in version.files}
    blobs = (blob for blob in store.list(version.prefix) if not blob.is_folder)
    now = [blob for blob in blobs if blob.key in keys or not version.has_others]
    return _version(version.number, version.prefix, now, None).fingerprint == version.fingerprint


def publish(
    store: PartStore,
    base: str,
    number: int,
    source: Path,
    *,
    origin: Origin,
    reporter: Reporter = SILENT,
) -> RemoteVersion:
    """Publish a SavedModel below a base path under a number, which appears once it is complete.

    Publishing the same model again changes nothing. Raises ConflictError if the number is another
    model or has objects of others, ModelError if the directory changes during the upload,
    RemoteError if the service fails.
    """
    tree = read_tree(source)
    target = f"{base}{number}/"
    existing = find_versions(store, base).get(number)
    if existing is not None and _is_tree(store, existing, tree):
        return existing
    if existing is not None:
        raise ConflictError(
            f"version {number} already exists and is another model",
            where=f"{store.url}/{target}",
            hint="publish it under a new number: servers do not reload a number",
        )
    if isinstance(store, RenamingStore):
        staging = f"{base}.partial-{number}-{tree.digest[:12]}/"
        _send_same(store, staging, source, tree, reporter)
        store.rename_tree(staging, target)
    else:
        _send_same(store, target, source, tree, reporter)
        manifest = manifest_of(tree, origin)
        key = f"{base}{MANIFESTS}{number}.json"
        store.write(key, msgspec.json.encode(manifest), Expect.ABSENT)
    return find_versions(store, base)[number]


def _send_same(store: PartStore, prefix: str, source: Path, tree: Tree, reporter: Reporter) -> None:
    """Send a tree, and delete the objects again if it changed during the upload.

    Their metadata would have the digests of other bytes.
    """
    sent: list[str] = []
    try:
        _send_all(store, prefix, source, tree, reporter, sent)
    finally:
        try:
            _check_same(source, tree)
        except ModelError:
            for key in reversed(sent):  # the model file first: without it there is no version
                store.delete(key)
            raise


def _send_all(
    store: PartStore, prefix: str, source: Path, tree: Tree, reporter: Reporter, sent: list[str]
) -> None:
    """Send a tree, its model file last, and delete leftovers of an interrupted publication."""
    reporter.event(Started(Direction.UPLOAD, len(tree.files), tree.size))
    files = outgoing_files(source, tree, prefix)
    existing = {blob.key: blob for blob in store.list(prefix) if not blob.is_folder}
    _check_own(store, existing)
    for key in existing.keys() - {file.key for file in files}:
        store.delete(key)
    for last in (False, True):
        if last:
            _check_same(source, tree)
        chosen = [file for file in files if (file.name in MODEL_FILES) is last]
        Sender(store, Transfer(reporter), sent=sent).send(chosen, existing)
    reporter.event(Ended())


def _check_own(store: BlobStore, keys: Iterable[str]) -> None:
    """Raise ConflictError for an object that cloudserve did not send: it is left as it is."""
    for key in keys:
        head = store.head(key)
        if head is not None and SHA256 not in head.metadata:
            raise ConflictError(
                f"{key} is not of an interrupted publication",
                where=store.url,
                hint="publish the model under a number whose folder is empty",
            )


def _check_same(source: Path, tree: Tree) -> None:
    if read_tree(source).digest != tree.digest:
        raise ModelError(
            "the model changed while it was published",
            where=str(source),
            hint="let the export finish, then publish again",
        )


def _manifest(store: BlobStore, key: str) -> Manifest | None:
    content = store.read(key)
    return read_manifest(content[0], f"{store.url}/{key}") if content else None


def _version(
    number: int, prefix: str, blobs: Iterable[Blob], manifest: Manifest | None
) -> RemoteVersion:
    files = tuple(blobs)
    text = "".join(f"{blob.key}\0{blob.size}\0{blob.token}\n" for blob in files)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    return RemoteVersion(number, prefix, files, manifest, fingerprint)


def _is_complete(version: RemoteVersion, suffixes: Collection[str]) -> bool:
    sizes = {blob.key.removeprefix(version.prefix): blob.size for blob in version.files}
    if version.manifest is not None:
        return all(sizes.get(file.path) == file.size for file in version.manifest.files)
    if any(name in sizes for name in MODEL_FILES):
        return _has_shards(sizes)
    return any("/" not in name and name.lower().endswith(tuple(suffixes)) for name in sizes)


def _has_shards(sizes: Mapping[str, int]) -> bool:
    """Return whether there are all shards that the name of any implies, and the index."""
    shards = [match for name in sizes if (match := _SHARD.fullmatch(name))]
    promised = {int(match[2]) for match in shards}
    whole = not shards or promised == {len(shards)}
    return whole and (INDEX in sizes) == bool(shards)


def _is_tree(store: BlobStore, version: RemoteVersion, tree: Tree) -> bool:
    if version.manifest is not None:
        return version.manifest.digest == tree.digest
    digests = {version.prefix + file.path: file.sha256 for file in tree.files}
    if digests.keys() != {blob.key for blob in version.files}:
        return False
    heads = ((store.head(key), sha256) for key, sha256 in digests.items())
    return all(head and head.metadata.get(SHA256) == sha256 for head, sha256 in heads)
