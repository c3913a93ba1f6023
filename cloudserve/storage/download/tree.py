"""A model out of a bucket into a directory that is there whole or not at all.

The files come into a hidden folder beside the destination, which is renamed into place when every
file has its digest. The folder's name has the model's digest, and it stays when a fetch is
interrupted: the next one goes on from it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.savedmodel import read_tree
from cloudserve.storage.contract import BlobStore
from cloudserve.storage.download.files import Receiver
from cloudserve.storage.download.partial_file import Incoming, local_path, writing
from cloudserve.storage.events import Direction, Ended, Observe, Started, ignore, serialized
from cloudserve.storage.manifest import Manifest
from cloudserve.storage.retry import Retry


def fetch(
    store: BlobStore,
    prefix: str,
    manifest: Manifest,
    into: Path,
    *,
    observe: Observe = ignore,
    retry: Retry | None = None,
) -> bool:
    """Make `into` the directory of a manifest's files, which lie below `prefix`.

    Returns False when it is that already. Raises UserError when there is something else or it
    cannot be written, ConflictError when the bucket does not have what the manifest says or
    another process fetches into the same place, RemoteError when the service fails.
    """
    if _is_there(into, manifest.digest):
        return False
    there = {blob.key: blob for blob in store.list(prefix)}
    for file in manifest.files:
        blob = there.get(prefix + file.path)
        if blob is None or blob.size != file.size:
            raise ConflictError(
                f"the bucket does not have {file.path} as the manifest says",
                where=f"{store.url}/{prefix}",
                hint="deploy the version again",
            )
    with staged(into, manifest.digest) as staging:
        files = [
            Incoming(f.path, there[prefix + f.path], local_path(staging, f.path), f.sha256)
            for f in manifest.files
        ]
        receive(store, files, observe, retry)
    return True


def receive(
    store: BlobStore, files: Sequence[Incoming], observe: Observe, retry: Retry | None = None
) -> None:
    """Fetch files and tell the events of it."""
    observe = serialized(observe)
    observe(Started(Direction.DOWNLOAD, len(files), sum(file.blob.size for file in files)))
    Receiver(store, observe, retry=retry).receive(files)
    observe(Ended())


@contextmanager
def staged(into: Path, name: str) -> Iterator[Path]:
    """Give a folder that becomes `into` at the end, at once; it stays where that is not reached.

    `name` tells apart what may become of the same destination. Raises ConflictError while another
    process has the folder, UserError when the system refuses.
    """
    into = into.absolute()
    staging = into.with_name(f".{into.name}.partial-{name[:12]}")
    with writing(into):
        staging.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _hold(descriptor, into)
        yield staging
        with writing(into):
            os.fsync(descriptor)
            staging.rename(into)  # over an empty directory, too, but never over files
            _sync(into.parent)
    finally:
        os.close(descriptor)


def _hold(descriptor: int, into: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConflictError(
            "another process is fetching into the same place", where=str(into), hint="let it end"
        ) from error


def _is_there(into: Path, digest: str) -> bool:
    if not into.exists() or (into.is_dir() and not any(into.iterdir())):
        return False
    if into.is_dir() and read_tree(into).digest == digest:
        return True
    raise UserError(
        "there is something else already", where=str(into), hint="choose a directory of its own"
    )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
