"""Files into a bucket: parallel over files and parts, resumed, and verified by the service.

A file that fits in one part is one request (`whole`), a larger one a multipart upload
(`multipart`); what the bucket has, under whatever key, is not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cloudserve.errors import ConflictError
from cloudserve.storage import pool
from cloudserve.storage.contract import Blob, PartStore
from cloudserve.storage.events import FileDone, Observe, Skipped, ignore
from cloudserve.storage.part_ranges import PART
from cloudserve.storage.retry import Retry
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.file_slice import Window
from cloudserve.storage.upload.multipart import Multipart
from cloudserve.storage.upload.outgoing import SHA256, Outgoing
from cloudserve.storage.upload.single_request import WholeFiles


class Sender:
    """Sends files into one bucket, once. Its threads are its own.

    The keys of what was sent whole are added to `sent`, also when the rest fails.
    """

    def __init__(
        self,
        store: PartStore,
        observe: Observe,
        *,
        sent: list[str] | None = None,
        retry: Retry | None = None,
        part: int = PART,
        workers: int = pool.WORKERS,
    ) -> None:
        self._store = store
        self._transfer = Transfer(observe, retry or Retry(), part, workers)
        self._files = WholeFiles(store, self._transfer, [] if sent is None else sent)
        self._multipart = Multipart(store, self._transfer, self._files)

    def send(
        self,
        files: Iterable[Outgoing],
        there: Mapping[str, Blob],
        elsewhere: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Send what is not there yet; `there` is a listing of the bucket, by key.

        `elsewhere` says by digest under which keys the bucket has the same files already: those
        are copied inside it.
        Raises RemoteError when the service fails for good, ModelError when a file cannot be read;
        what was sent until then stays and is not sent again.
        """
        self._transfer.run(
            partial(
                self._file,
                file,
                there.get(file.key),
                elsewhere.get(file.metadata.get(SHA256, "")),
            )
            for file in files
        )

    def _file(self, file: Outgoing, there: Blob | None, other: str | None) -> Sequence[pool.Task]:
        if there is not None and there.size == file.size and self._files.is_there(file):
            self._transfer.observe(Skipped(file.name, file.size))
            self._transfer.observe(FileDone(file.name, file.size, moved=False))
            return ()
        if other is not None and self._copied(file, other):
            self._transfer.observe(Skipped(file.name, file.size))
            self._files.finish(file, moved=False)
            return ()
        if file.size > self._transfer.part:
            return self._multipart.begin(file)
        self._files.put(file)
        return ()

    def _copied(self, file: Outgoing, other: str) -> bool:
        """Copy the file from another key of the bucket, if it is there still."""
        source = self._transfer.attempt(file.name, lambda: self._store.head(other))
        if source is None or not file.is_like(source):
            return False
        try:
            self._transfer.attempt(
                file.name, lambda: self._store.copy(source, file.key, file.metadata)
            )
        except ConflictError:
            return False  # somebody deletes the older revision meanwhile
        return True


def send_file(store: PartStore, key: str, path: Path, metadata: Mapping[str, str]) -> None:
    """Write one file of any size: what an adapter's `BlobStore.upload` may consist of.

    Raises ModelError when the file cannot be read, RemoteError when the service fails for good.
    """
    with Window(path) as body:
        size = body.size
    Sender(store, ignore).send([Outgoing(path.name, path, key, size, metadata)], {})
