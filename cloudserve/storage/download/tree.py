"""Download of a model into a directory that appears atomically.

Files are downloaded to a hidden folder beside the destination, which is renamed once every file has
its digest. The folder is named after the model's digest and is kept if the download is interrupted,
so that the next one resumes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.files import sync_directory, try_lock
from cloudserve.savedmodel import read_tree
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.download.files import Downloader
from cloudserve.storage.download.partial_file import Incoming, local_path, writing
from cloudserve.storage.events import SILENT, Direction, Ended, Reporter, Started
from cloudserve.storage.manifest import Manifest
from cloudserve.storage.retry import Retry
from cloudserve.storage.transfer import Transfer


def download_tree(
    store: BlobStore,
    prefix: str,
    manifest: Manifest,
    into: Path,
    *,
    reporter: Reporter = SILENT,
    retry: Retry | None = None,
) -> bool:
    """Download the files of a manifest, below `prefix`, into the directory `into`.

    Returns False if the directory already has them. Raises UserError if it has anything else or
    cannot be written, ConflictError if the bucket does not match the manifest or another process
    downloads to the same place, RemoteError if the service fails.
    """
    if _is_complete(into, manifest.digest):
        return False
    existing = {blob.key: blob for blob in store.list(prefix)}
    for file in manifest.files:
        blob = existing.get(prefix + file.path)
        if blob is None or blob.size != file.size:
            raise ConflictError(
                f"the bucket does not have {file.path} as in the manifest",
                where=f"{store.url}/{prefix}",
                hint="deploy the version again",
            )
    with staging_dir(into, manifest.digest) as staging:
        files = [
            Incoming(f.path, existing[prefix + f.path], local_path(staging, f.path), f.sha256)
            for f in manifest.files
        ]
        download_files(store, files, reporter, retry)
    return True


def download_files(
    store: BlobStore, files: Sequence[Incoming], reporter: Reporter, retry: Retry | None = None
) -> None:
    """Download files and report the events."""
    reporter.event(Started(Direction.DOWNLOAD, len(files), sum(file.blob.size for file in files)))
    Downloader(store, Transfer(reporter, retry or Retry())).download(files)
    reporter.event(Ended())


@contextmanager
def staging_dir(into: Path, name: str) -> Iterator[Path]:
    """Yield a folder that atomically becomes `into` at the end; after an error it is kept.

    `name` distinguishes possible contents of the same destination. Raises ConflictError while
    another process uses the folder, UserError if the system refuses.
    """
    into = into.absolute()
    staging = into.with_name(f".{into.name}.partial-{name[:12]}")
    with writing(into):
        staging.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not try_lock(descriptor):
            raise ConflictError(
                "another process is downloading to the same place",
                where=str(into),
                hint="wait for it to end",
            )
        yield staging
        with writing(into):
            os.fsync(descriptor)
            staging.rename(into)  # replaces an empty directory, but never files
            sync_directory(into.parent)
    finally:
        os.close(descriptor)


def _is_complete(into: Path, digest: str) -> bool:
    if not into.exists() or (into.is_dir() and not any(into.iterdir())):
        return False
    if into.is_dir() and read_tree(into).digest == digest:
        return True
    raise UserError(
        "the directory is not empty", where=str(into), hint="choose a new or empty directory"
    )
