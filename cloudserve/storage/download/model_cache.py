"""A cache of downloaded versions, limited in bytes.

FOLDER/FINGERPRINT/NUMBER/ is a version. The fingerprint changes with any of its objects, so a
version that is replaced under its number gets another directory. The fingerprint of a version that
did not come from a bucket is the digest of its files.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cloudserve.errors import ConflictError, ModelError, RemoteError, UserError
from cloudserve.files import try_lock
from cloudserve.modelfiles.files import model_files
from cloudserve.savedmodel import is_saved_model, read_tree
from cloudserve.savedmodel.checkpoint.variables import check_variables
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.download.partial_file import Incoming, local_path
from cloudserve.storage.download.tree import download_files, download_tree, staging_dir
from cloudserve.storage.events import SILENT, Reporter
from cloudserve.storage.versions import RemoteVersion, is_unchanged

_INCOMING = ".incoming-"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelCache:
    """A folder of downloaded versions; `limit` is in bytes. One process uses it at a time."""

    folder: Path
    limit: int

    def path(self, version: RemoteVersion) -> Path:
        """Return the directory of a version, whether it exists or not."""
        return self.folder / version.fingerprint / str(version.number)

    def get(
        self,
        store: BlobStore,
        version: RemoteVersion,
        *,
        keep: Collection[Path] = (),
        reporter: Reporter = SILENT,
    ) -> Path:
        """Return the directory of a version, downloading it if necessary.

        Older versions are evicted to make room, except the served ones in `keep`. Raises ModelError
        if it is not a complete SavedModel yet, ConflictError if the bucket changes during the
        download, RemoteError if the service fails; no directory is created then.
        """
        path = self.path(version)
        if not path.is_dir():
            self._make_room(sum(blob.size for blob in version.files), keep)
            if version.manifest is not None:
                download_tree(store, version.prefix, version.manifest, path, reporter=reporter)
            else:
                _fetch_unannounced(store, version, path, reporter)
        os.utime(path.parent)
        return path

    def keep(self, fetch: Callable[[Path], Path], name: str) -> Path:
        """Return the directory NAME with the files that `fetch` writes into a new folder.

        `fetch` returns their directory in that folder. Equal files are kept once.
        """
        for left in self.folder.glob(f"{_INCOMING}*"):  # by a killed process: this one has the lock
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=_INCOMING, dir=self.folder) as incoming:
            source = fetch(Path(incoming))
            digest = read_tree(source).digest
            path = self.folder / digest / name
            if not path.is_dir() or read_tree(path).digest != digest:
                shutil.rmtree(path, ignore_errors=True)
                self._make_room(_size(source), ())
                path.parent.mkdir(exist_ok=True)
                source.rename(path)
        os.utime(path.parent)
        return path

    def _make_room(self, needed: int, keep: Collection[Path]) -> None:
        entries = sorted(self._entries(), key=lambda entry: entry.stat().st_mtime)
        sizes = {entry: _size(entry) for entry in entries}
        total = sum(sizes.values())
        for entry in entries:
            if total + needed <= self.limit:
                return
            if not any(path.is_relative_to(entry) for path in keep):
                shutil.rmtree(entry)
                total -= sizes[entry]
        if total + needed > self.limit:
            logger.warning("%s takes %d bytes, more than its limit", self.folder, total + needed)

    def _entries(self) -> list[Path]:
        """Return the folders of versions; the folder may have been given with others in it."""
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        return [path for path in paths if _FINGERPRINT.fullmatch(path.name) and path.is_dir()]


def _fetch_unannounced(
    store: BlobStore, version: RemoteVersion, path: Path, reporter: Reporter
) -> None:
    """Download a version without a manifest, which must be loadable and must not change."""
    with staging_dir(path, version.fingerprint) as staging:
        files = [
            Incoming(name, blob, local_path(staging, name))
            for blob in version.files
            if (name := blob.key.removeprefix(version.prefix))
        ]
        download_files(store, files, reporter)
        _check_loadable(staging)
        if not is_unchanged(store, version):
            raise ConflictError(
                f"version {version.number} changed during the download",
                where=f"{store.url}/{version.prefix}",
                hint="it is still being copied to the bucket",
            )


def _check_loadable(path: Path) -> None:
    # Objects appear atomically, so a copy in progress can only lack files.
    if is_saved_model(path):
        check_variables(path)
    elif not model_files(path):
        raise ModelError(
            "there is no complete SavedModel yet",
            where=str(path),
            hint="wait until all its files are copied; `saved_model.pb` is last",
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


FOLDER, BYTES = "CLOUDSERVE_MODEL_CACHE", "CLOUDSERVE_MODEL_CACHE_BYTES"
LIMIT = 20 << 30
"""Maximum size of a cache in bytes, unless CLOUDSERVE_MODEL_CACHE_BYTES is set."""
SLOTS = 100


def claim_cache(environ: Mapping[str, str]) -> tuple[ModelCache, IO[bytes]]:
    """Return the first model cache that no other process uses, and its lock: close it to release.

    Raises UserError for a limit that is no number, RemoteError if all caches are in use.
    """
    configured, limit = environ.get(FOLDER), _limit(environ)
    home = environ.get("HOME", "/tmp")  # noqa: S108  a last resort
    xdg = environ.get("XDG_CACHE_HOME", "")
    base = Path(xdg if xdg.startswith("/") else Path(home, ".cache"))  # a relative one is invalid
    folder = Path(configured) if configured else base / "cloudserve" / "models"
    for slot in (folder / str(number) for number in range(SLOTS)):
        slot.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (slot / ".lock").open("ab")
        if try_lock(lock):
            return ModelCache(slot, limit), lock
        lock.close()
    raise RemoteError(
        f"{SLOTS} processes use the model caches of this folder, and there are no more",
        where=str(folder),
        hint=f"stop some of them, or set {FOLDER} to another folder",
    )


def _limit(environ: Mapping[str, str]) -> int:
    text = environ.get(BYTES) or str(LIMIT)
    if not (text.isascii() and text.isdecimal()):
        raise UserError(
            f"`{text}` is not a number of bytes", where=BYTES, hint=f"write digits, such as {LIMIT}"
        )
    return int(text)
