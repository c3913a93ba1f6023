"""Parallel upload of files and parts, resumed, and verified by the service.

A file that fits in one part is one request, a larger one a multipart upload. A file that the bucket
already has, under whatever key, is not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cloudserve.errors import ConflictError
from cloudserve.storage import pool
from cloudserve.storage.contract import Blob, PartStore
from cloudserve.storage.events import SILENT, FileDone, Skipped
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.file_slice import FileSlice
from cloudserve.storage.upload.multipart import Multipart
from cloudserve.storage.upload.outgoing import SHA256, Outgoing, SingleRequests


class Sender:
    """Sends files to one bucket, once, in its own threads.

    The keys of complete files are added to `sent`, even if another file fails.
    """

    def __init__(
        self, store: PartStore, transfer: Transfer, *, sent: list[str] | None = None
    ) -> None:
        self._store = store
        self._transfer = transfer
        self._files = SingleRequests(store, transfer, [] if sent is None else sent)
        self._multipart = Multipart(store, transfer, self._files)

    def send(
        self,
        files: Iterable[Outgoing],
        existing: Mapping[str, Blob],
        copies: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Send the files that are missing in `existing`, a listing of the bucket by key.

        `copies` has, by digest, keys of the bucket with the same content, which is copied there.
        Raises RemoteError if the service fails permanently, ModelError if a file cannot be read;
        complete files and parts are kept and not sent again.
        """
        self._transfer.run(
            partial(
                self._file,
                file,
                existing.get(file.key),
                copies.get(file.metadata.get(SHA256, "")),
            )
            for file in files
        )

    def _file(
        self, file: Outgoing, existing: Blob | None, other: str | None
    ) -> Sequence[pool.Task]:
        if existing is not None and existing.size == file.size and self._files.is_uploaded(file):
            self._transfer.reporter.event(Skipped(file.name, file.size))
            self._transfer.reporter.event(FileDone(file.name, file.size, moved=False))
            return ()
        if other is not None and self._copied(file, other):
            self._transfer.reporter.event(Skipped(file.name, file.size))
            self._files.finish(file, moved=False)
            return ()
        if file.size > self._transfer.part:
            return self._multipart.begin(file)
        self._files.put(file)
        return ()

    def _copied(self, file: Outgoing, other: str) -> bool:
        """Copy the file from another key of the bucket, if that still exists."""
        source = self._transfer.attempt(file.name, lambda: self._store.head(other))
        if source is None or not file.is_like(source):
            return False
        try:
            self._transfer.attempt(
                file.name, lambda: self._store.copy(source, file.key, file.metadata)
            )
        except ConflictError:
            return False  # the older revision was deleted concurrently
        return True


def send_file(store: PartStore, key: str, path: Path, metadata: Mapping[str, str]) -> None:
    """Send one file of any size, as an adapter's `BlobStore.upload` may do.

    Raises ModelError if the file cannot be read, RemoteError if the service fails permanently.
    """
    with FileSlice(path) as body:
        size = body.size
    Sender(store, Transfer(SILENT)).send([Outgoing(path.name, path, key, size, metadata)], {})
