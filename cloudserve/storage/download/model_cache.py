"""Versions of buckets as local directories: fetched once, whole, and only so many bytes of them.

FOLDER/FINGERPRINT/NUMBER/ is a version as its bucket had it; the fingerprint changes with any of
its objects, so a version that was replaced under its number is another directory.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cloudserve.errors import ConflictError, ModelError
from cloudserve.savedmodel import is_saved_model
from cloudserve.savedmodel.checkpoint.variables import check_variables
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.download.partial_file import Incoming, local_path
from cloudserve.storage.download.tree import fetch, receive, staged
from cloudserve.storage.events import Observe, ignore
from cloudserve.storage.versions import RemoteVersion, find_versions, find_versions_or_model

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelCache:
    """A folder of fetched versions; `limit` is in bytes. One process uses it at a time."""

    folder: Path
    limit: int

    def path(self, version: RemoteVersion) -> Path:
        """Return where a version lies, or would lie."""
        return self.folder / version.fingerprint / str(version.number)

    def get(
        self,
        store: BlobStore,
        base: str,
        version: RemoteVersion,
        *,
        keep: Collection[Path] = (),
        observe: Observe = ignore,
    ) -> Path:
        """Return the directory of a version, fetched if need be.

        Older versions make room for it, except those in `keep`, which are served. Raises
        ModelError when it is no whole SavedModel yet, ConflictError when the bucket changes
        meanwhile, RemoteError when the service fails; then there is no directory.
        """
        path = self.path(version)
        if not path.is_dir():
            self._make_room(sum(blob.size for blob in version.files), keep)
            if version.manifest is not None:
                fetch(store, version.prefix, version.manifest, path, observe=observe)
            else:
                _fetch_unannounced(store, base, version, path, observe)
        os.utime(path.parent)
        return path

    def _make_room(self, wanted: int, keep: Collection[Path]) -> None:
        entries = sorted(self._entries(), key=lambda entry: entry.stat().st_mtime)
        sizes = {entry: _size(entry) for entry in entries}
        total = sum(sizes.values())
        for entry in entries:
            if total + wanted <= self.limit:
                return
            if not any(path.is_relative_to(entry) for path in keep):
                shutil.rmtree(entry)
                total -= sizes[entry]
        if total + wanted > self.limit:
            log.warning("%s takes %d bytes, more than its limit", self.folder, total + wanted)

    def _entries(self) -> list[Path]:
        return [p for p in self.folder.iterdir() if p.is_dir()] if self.folder.is_dir() else []


def _fetch_unannounced(
    store: BlobStore, base: str, version: RemoteVersion, path: Path, observe: Observe
) -> None:
    """Fetch what has no manifest: it is whole if it loads as a SavedModel and stands still."""
    with staged(path, version.fingerprint) as staging:
        files = [
            Incoming(name, blob, local_path(staging, name))
            for blob in version.files
            if (name := blob.key.removeprefix(version.prefix))
        ]
        receive(store, files, observe)
        _check_loadable(staging)
        find = find_versions_or_model if version.prefix == base else find_versions
        now = find(store, base).get(version.number)
        if now is None or now.fingerprint != version.fingerprint:
            raise ConflictError(
                f"version {version.number} changed while it was fetched",
                where=f"{store.url}/{version.prefix}",
                hint="it is still being copied there",
            )


def _check_loadable(path: Path) -> None:
    # Objects are whole or not there, so all that can be amiss is that some have not come yet.
    if not is_saved_model(path):
        raise ModelError("no SavedModel is there yet", where=str(path))
    check_variables(path)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
