"""`model.tar.gz` of a revision, streamed from the objects in its bucket back to the bucket.

SageMaker takes no prefix for serverless and multi-model endpoints, nor for batch transform (API
reference, `ContainerDefinition.ModelDataSource`). The archive is made of the uploaded files, so
it holds what was released even if the local directory has changed. The bytes pass through this
machine; only the parts in transfer are on its disk.
"""

from __future__ import annotations

import hashlib
from functools import partial

from cloudserve.errors import RemoteError
from cloudserve.plural import counted
from cloudserve.release.types import Action, Location
from cloudserve.storage.archive import ARCHIVE, CODE, DIGEST, pack_members
from cloudserve.storage.contract import Blob, PartStore
from cloudserve.storage.events import Event, Moved, Reporter, Skipped
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.stream import send_stream

from ....actions import planned
from ...s3.object_stream import open_object
from ..actions.steps import CreateArchive

Files = tuple[tuple[str, Blob], ...]
TENTHS = 10


class Archives:
    """Archives in one bucket, each of the objects below a prefix there."""

    def __init__(self, blobs: PartStore) -> None:
        self._blobs = blobs

    def plan(self, location: Location, key: str, *, alone: bool = False) -> tuple[Action, ...]:
        """Plan the archive of a revision under a key; () if it exists.

        It holds `MODEL/NUMBER/`, or `NUMBER/` if the model is `alone`.
        """
        base = location.saved_model.removesuffix(f"{location.number}/")
        step = CreateArchive(key, location.saved_model, base if alone else location.root)
        files = self._files(step)
        if files and self._exists(key, _digest(files)):
            return ()
        url = f"{self._blobs.url}/{key}"
        sentence = f"make {url} of the files under {location.root_url}"
        return (planned(step, sentence, f"delete the object {url}"),)

    def make(self, step: CreateArchive, reporter: Reporter) -> None:
        """Make an archive unless it exists.

        An interrupted upload is resumed by parts. Raises RemoteError if the files do not exist.
        """
        files, key = self._files(step), step.key
        if not files:
            raise RemoteError(
                "the revision's files do not exist",
                where=f"{self._blobs.url}/{step.files}",
                hint="deploy the version again: that uploads them",
            )
        size = sum(blob.size for _, blob in files)
        if not self._exists(key, _digest(files)):
            self._send(key, files, Reporter(reporter.line, Tenths(size, reporter)))
        what = f"{counted(len(files), 'file')}, {counted(size, 'byte')}"
        reporter.line(f"archived {what}, in {self._blobs.url}/{key}")

    def _send(self, key: str, files: Files, reporter: Reporter) -> None:
        transfer = Transfer(reporter)
        members = [
            (name, blob.size, partial(open_object, self._blobs, blob, transfer))
            for name, blob in files
        ]
        make = partial(pack_members, members)
        send_stream(self._blobs, key, {DIGEST: _digest(files)}, make, transfer)

    def _exists(self, key: str, digest: str) -> bool:
        head = self._blobs.head(key)
        return head is not None and head.metadata.get(DIGEST) == digest

    def _files(self, step: CreateArchive) -> Files:
        """Return the members by name: the SavedModel, and a second copy of its `code/`."""
        prefix, base = step.files, step.base
        members, own = [], f"{prefix}{CODE}/"
        for blob in self._blobs.list(prefix):
            members.append((blob.key.removeprefix(base), blob))
            if blob.key.startswith(own):
                members.append((f"{CODE}/{blob.key.removeprefix(own)}", blob))
        return tuple(sorted(members, key=lambda file: file[0]))


class Tenths:
    """Reports a line for each tenth of an upload of `size` bytes, but not its end."""

    def __init__(self, size: int, reporter: Reporter) -> None:
        self._size = max(size, 1)
        self._reporter = reporter
        self._moved = 0
        self._tenths = 0

    def __call__(self, event: Event) -> None:
        """Add the bytes of an event, and report a tenth that is reached."""
        if isinstance(event, Moved | Skipped):
            self._moved += event.size
            reached = self._moved * TENTHS // self._size
            if self._tenths < reached < TENTHS:
                self._tenths = reached
                self._reporter.line(f"{reached * TENTHS} % of {counted(self._size, 'byte')}")


def archive_key(location: Location) -> str:
    """Return the key of a revision's archive: it names the content, as the revision's id does."""
    return location.archive


def source_url(location: Location, *, archived: bool) -> str:
    """Return the URL that SageMaker reads a revision from."""
    return f"{location.bucket}/{archive_key(location)}" if archived else location.root_url


def _digest(files: Files) -> str:
    """Return a digest of everything that the archive's bytes depend on: names and ETags."""
    text = "".join(f"{name}\0{blob.size}\0{blob.token}\n" for name, blob in files)
    return hashlib.sha256(f"{ARCHIVE}\n{text}".encode()).hexdigest()
