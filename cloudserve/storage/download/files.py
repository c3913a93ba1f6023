"""Parallel download of files and parts, resumed, and verified by their digests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.storage import pool
from cloudserve.storage.contract import Blob, BlobStore, PartStore
from cloudserve.storage.download.partial_file import Incoming, PartialFile, sha256_of
from cloudserve.storage.events import FileDone, Meter, Retrying, Skipped
from cloudserve.storage.transfer import PartRange, Transfer, part_ranges

ATTEMPTS = 3
"""How often a file is downloaded if its digest is wrong."""


class Downloader:
    """Downloads files from one bucket, once, in its own threads."""

    def __init__(self, store: BlobStore, transfer: Transfer) -> None:
        self._store = store
        self._transfer = transfer

    def download(self, files: Iterable[Incoming]) -> None:
        """Download the files that are not complete yet.

        Raises RemoteError if the service fails permanently or the bytes stay wrong, ConflictError
        if an object changes, UserError if a file cannot be written. Downloaded parts are kept, and
        the next call resumes.
        """
        self._transfer.run(partial(self._file, file) for file in files)

    def _file(self, file: Incoming) -> Sequence[pool.Task]:
        if file.sha256 and file.path.is_file() and sha256_of(file.path) == file.sha256:
            self._transfer.reporter.event(Skipped(file.name, file.blob.size))
            self._transfer.reporter.event(FileDone(file.name, file.blob.size, moved=False))
            return ()
        return self._begin(file, attempt=1)

    def _begin(self, file: Incoming, attempt: int) -> Sequence[pool.Task]:
        pieces = part_ranges(file.blob.size, self._transfer.part) or (PartRange(1, 0, 0),)
        target = PartialFile(file, pieces)
        existing = target.open()
        for span in pieces:
            if span.number in existing:
                self._transfer.meter(file.name, span).finish(Skipped)
        missing = [span for span in pieces if span.number not in existing]
        if not missing:
            return self._end(target, attempt)
        return [partial(self._part_of, target, span, attempt) for span in missing]

    def _part_of(self, target: PartialFile, span: PartRange, attempt: int) -> Sequence[pool.Task]:
        name = target.file.name
        meter = self._transfer.meter(name, span)
        self._transfer.attempt(name, partial(self._fetch, target, span, meter))
        meter.finish()
        return self._end(target, attempt) if target.add(span) else ()

    def _fetch(self, target: PartialFile, span: PartRange, meter: Meter) -> None:
        pieces = _pieces(self._store, target.file.blob, span)
        received = target.write(span, self._metered(pieces, meter))
        if received != span.size:
            raise RemoteError(
                f"{target.file.name}: received {received} of {span.size} bytes",
                where=f"{self._store.url}/{target.file.blob.key}",
                hint="run the command again: it continues",
                retryable=True,
            )

    def _metered(self, pieces: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
        position = 0
        for piece in pieces:
            self._transfer.raise_if_stopped()
            yield piece
            position += len(piece)
            meter(position)

    def _end(self, target: PartialFile, attempt: int) -> Sequence[pool.Task]:
        file = target.file
        if target.finish():
            self._transfer.reporter.event(FileDone(file.name, file.blob.size))
            return ()
        if attempt == ATTEMPTS:
            raise RemoteError(
                f"{file.name} does not have the digest that it was uploaded with",
                where=f"{self._store.url}/{file.blob.key}",
                hint="deploy the version again: the bucket has damaged bytes",
            )
        self._transfer.reporter.event(Retrying(file.name, "its digest is wrong", 0.0))
        return self._begin(file, attempt + 1)


def _pieces(store: BlobStore, blob: Blob, span: PartRange) -> Iterator[bytes]:
    """Yield a part's bytes; a plain BlobStore can only read whole objects."""
    if isinstance(store, PartStore):
        yield from store.read_range(blob, span.offset, span.size)
        return
    content = store.read(blob.key)
    if content is None or content[1] != blob.token:
        raise ConflictError(
            "the object was replaced or deleted while it was read",
            where=f"{store.url}/{blob.key}",
            hint="run the command again: it reads what the bucket has now",
        )
    yield content[0][span.offset : span.offset + span.size]
