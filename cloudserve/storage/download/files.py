"""Files out of a bucket: parallel over files and parts, resumed, compared with their digests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.storage import pool
from cloudserve.storage.contract import Blob, BlobStore, PartStore
from cloudserve.storage.download.partial_file import Incoming, Landing, sha256_of
from cloudserve.storage.events import FileDone, Meter, Observe, Retrying, Skipped
from cloudserve.storage.part_ranges import PART, Span, spans
from cloudserve.storage.retry import Retry
from cloudserve.storage.transfer import Transfer

ATTEMPTS = 3
"""How often a file is fetched whose bytes turn out to be wrong."""


class Receiver:
    """Fetches files from one bucket, once. Its threads are its own."""

    def __init__(
        self,
        store: BlobStore,
        observe: Observe,
        *,
        retry: Retry | None = None,
        part: int = PART,
        workers: int = pool.WORKERS,
    ) -> None:
        self._store = store
        self._transfer = Transfer(observe, retry or Retry(), part, workers)

    def receive(self, files: Iterable[Incoming]) -> None:
        """Fetch the files that are not there yet.

        Raises RemoteError when the service fails for good or its bytes stay wrong, ConflictError
        when an object changes meanwhile, UserError when a file cannot be written. What came until
        then stays, and the next call goes on from it.
        """
        self._transfer.run(partial(self._file, file) for file in files)

    def _file(self, file: Incoming) -> Sequence[pool.Task]:
        if file.sha256 and file.path.is_file() and sha256_of(file.path) == file.sha256:
            self._transfer.observe(Skipped(file.name, file.blob.size))
            self._transfer.observe(FileDone(file.name, file.blob.size, moved=False))
            return ()
        return self._begin(file, attempt=1)

    def _begin(self, file: Incoming, attempt: int) -> Sequence[pool.Task]:
        pieces = spans(file.blob.size, self._transfer.part) or (Span(1, 0, 0),)
        landing = Landing(file, pieces)
        there = landing.open()
        for span in pieces:
            if span.number in there:
                self._transfer.meter(file.name, span).finish(Skipped)
        left = [span for span in pieces if span.number not in there]
        if not left:
            return self._end(landing, attempt)
        return [partial(self._part_of, landing, span, attempt) for span in left]

    def _part_of(self, landing: Landing, span: Span, attempt: int) -> Sequence[pool.Task]:
        name = landing.file.name
        meter = self._transfer.meter(name, span)
        self._transfer.attempt(name, partial(self._fetch, landing, span, meter))
        meter.finish()
        return self._end(landing, attempt) if landing.add(span) else ()

    def _fetch(self, landing: Landing, span: Span, meter: Meter) -> None:
        pieces = _pieces(self._store, landing.file.blob, span)
        came = landing.write(span, self._metered(pieces, meter))
        if came != span.size:
            raise RemoteError(
                f"{landing.file.name}: {came} of {span.size} bytes came",
                where=f"{self._store.url}/{landing.file.blob.key}",
                retryable=True,
            )

    def _metered(self, pieces: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
        position = 0
        for piece in pieces:
            self._transfer.check_going_on()
            yield piece
            position += len(piece)
            meter(position)

    def _end(self, landing: Landing, attempt: int) -> Sequence[pool.Task]:
        file = landing.file
        if landing.finish():
            self._transfer.observe(FileDone(file.name, file.blob.size))
            return ()
        if attempt == ATTEMPTS:
            raise RemoteError(
                f"{file.name} does not have the digest that it was uploaded with",
                where=f"{self._store.url}/{file.blob.key}",
                hint="deploy the version again: what is in the bucket is damaged",
            )
        self._transfer.observe(Retrying(file.name, "its digest is wrong", 0.0))
        return self._begin(file, attempt + 1)


def _pieces(store: BlobStore, blob: Blob, span: Span) -> Iterator[bytes]:
    """Yield a part's bytes; a plain BlobStore has only whole objects to give."""
    if isinstance(store, PartStore):
        yield from store.read_range(blob, span.offset, span.size)
        return
    found = store.read(blob.key)
    if found is None or found[1] != blob.token:
        raise ConflictError(
            "the object was replaced or deleted while it was read", where=f"{store.url}/{blob.key}"
        )
    yield found[0][span.offset : span.offset + span.size]
