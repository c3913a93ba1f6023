"""Files into a bucket: parallel over files and parts, resumed, and verified by the service.

A file that fits in one part is one request. A larger one is a multipart upload, and the service
itself remembers how far it came: the next run, in whatever process and on whatever machine, asks
for the key's upload under way and compares its parts by checksum with the file. So there is no
state file to lose, and a part is taken over only if it is the same bytes.

Two who send the same file at once may share an upload. Whoever completes it first wins; the other
finds the upload gone, sees the whole object, and is done too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.release.provider import Blob
from cloudserve.storage import pool
from cloudserve.storage.contract import Part, PartStore, UploadGoneError
from cloudserve.storage.events import (
    FileDone,
    Meter,
    Observe,
    Retrying,
    Skipped,
    ignore,
)
from cloudserve.storage.outgoing import PART, SHA256, Attempt, Outgoing, Span, spans
from cloudserve.storage.retry import Retry, StoppedError
from cloudserve.storage.window import Window

RESTARTS = 3
"""How often a file is begun anew when others take its upload away."""

log = logging.getLogger(__name__)
Result = TypeVar("Result")


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
        self._observe = observe
        self._retry = retry or Retry()
        self._part = part
        self._workers = workers
        self._meters: dict[tuple[str, int], Meter] = {}
        self._sent = [] if sent is None else sent
        self._elsewhere: Mapping[str, str] = {}

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
        self._elsewhere = elsewhere
        tasks = [partial(self._file, file, there.get(file.key)) for file in files]
        pool.run(tasks, self._retry.stop, self._workers)

    # One file

    def _file(self, file: Outgoing, there: Blob | None) -> Sequence[pool.Task]:
        if there is not None and there.size == file.size and self._is_whole(file):
            self._observe(Skipped(file.name, file.size))
            self._observe(FileDone(file.name, file.size, moved=False))
            return ()
        if self._copied(file):
            self._observe(Skipped(file.name, file.size))
            self._finish(file, moved=False)
            return ()
        return self._begin(file, attempt=0)

    def _copied(self, file: Outgoing) -> bool:
        """Copy the file from elsewhere in the bucket, if it is there still."""
        key = self._elsewhere.get(file.metadata.get(SHA256, ""))
        source = self._try(file, lambda: self._store.head(key)) if key else None
        if source is None or not file.is_like(source):
            return False
        try:
            self._try(file, lambda: self._store.copy(source, file.key, file.metadata))
        except ConflictError:
            return False  # somebody deletes the older revision meanwhile
        return True

    def _begin(self, file: Outgoing, attempt: int) -> Sequence[pool.Task]:
        if file.size <= self._part:
            return self._put(file)
        # A second attempt takes over nothing: what was there may be what went wrong.
        upload, there = self._resumable(file) if attempt == 0 else (None, {})
        if upload is None:
            upload = self._try(file, lambda: self._store.begin(file.key, file.metadata))
        if upload is None:
            return self._put(file)
        begun = Attempt(file, upload, spans(file.size, self._part), there, attempt)
        return [partial(self._part_of, begun, span) for span in begun.spans]

    def _put(self, file: Outgoing) -> Sequence[pool.Task]:
        whole = Span(0, 0, file.size)
        meter = self._meter(file, whole)

        def put() -> None:
            with self._window(file, whole, meter) as body:
                self._store.put(file.key, body, file.metadata)

        self._try(file, put)
        meter.finish()
        self._finish(file)
        return ()

    def _resumable(self, file: Outgoing) -> tuple[str | None, Mapping[int, Part]]:
        """Return the newest upload of this key under way, and its parts."""
        for upload in self._try(file, lambda: self._store.open_uploads(file.key)):
            try:
                parts = self._try(file, partial(self._store.parts, file.key, upload))
            except UploadGoneError:
                continue
            return upload, {part.number: part for part in parts}
        return None, {}

    # Its parts

    def _part_of(self, attempt: Attempt, span: Span) -> Sequence[pool.Task]:
        if attempt.over:
            return ()
        meter = self._meter(attempt.file, span)
        part = self._taken_over(attempt, span)
        if part is not None:
            meter.finish(Skipped)
        try:
            if part is None:
                part = self._try(attempt.file, partial(self._send_part, attempt, span, meter))
                meter.finish()
            return self._complete(attempt) if attempt.add(part) else ()
        except UploadGoneError:
            return self._lost(attempt)

    def _taken_over(self, attempt: Attempt, span: Span) -> Part | None:
        part = attempt.there.get(span.number)
        if part is None or part.size != span.size:
            return None
        with self._window(attempt.file, span) as body:
            return part if self._store.is_same(part, body) else None

    def _send_part(self, attempt: Attempt, span: Span, meter: Meter) -> Part:
        with self._window(attempt.file, span, meter) as body:
            return self._store.send_part(attempt.file.key, attempt.upload, span.number, body)

    def _complete(self, attempt: Attempt) -> Sequence[pool.Task]:
        file = attempt.file

        def complete() -> None:
            with self._window(file, Span(0, 0, file.size)) as body:
                self._store.complete(file.key, attempt.upload, attempt.parts, body)

        self._try(file, complete)
        # What was taken over may have been begun for another content, and says so in its metadata.
        if not self._is_whole(file):
            return self._lost(attempt)
        attempt.end()
        self._free_others(file)
        self._finish(file)
        return ()

    def _lost(self, attempt: Attempt) -> Sequence[pool.Task]:
        """Go on after somebody else completed or aborted the upload."""
        file = attempt.file
        if not attempt.end():
            return ()  # another thread has seen to it
        if self._is_whole(file):
            self._finish(file)
            return ()
        if attempt.number == RESTARTS:
            raise RemoteError(
                f"the upload of {file.name} was taken away {RESTARTS + 1} times",
                where=f"{self._store.url}/{file.key}",
                hint="let the other upload to this place end, then run the same command again",
            )
        return self._begin(file, attempt.number + 1)

    def _free_others(self, file: Outgoing) -> None:
        """Abort what interrupted runs left of this file: parts cost money."""
        try:
            for upload in self._store.open_uploads(file.key):
                self._store.abort(file.key, upload)
        except RemoteError as error:
            log.warning("parts of an earlier upload may stay in %s: %s", self._store.url, error)

    # What all of them need

    def _finish(self, file: Outgoing, *, moved: bool = True) -> None:
        self._sent.append(file.key)
        self._observe(FileDone(file.name, file.size, moved))

    def _is_whole(self, file: Outgoing) -> bool:
        return file.is_like(self._try(file, lambda: self._store.head(file.key)))

    def _meter(self, file: Outgoing, span: Span) -> Meter:
        """Return the meter of a part, the same one when the file is begun anew."""
        key = (file.name, span.number)
        return self._meters.setdefault(key, Meter(file.name, span.size, self._observe))

    def _window(self, file: Outgoing, span: Span, meter: Meter | None = None) -> Window:
        def on_read(position: int) -> None:
            if self._retry.stop.is_set():
                raise StoppedError
            if meter is not None:
                meter(position)

        return Window(file.path, span.offset, span.size, on_read)

    def _try(self, file: Outgoing, call: Callable[[], Result]) -> Result:
        return self._retry.run(
            call, lambda error, pause: self._observe(Retrying(file.name, error.message, pause))
        )


def send_file(store: PartStore, key: str, path: Path, metadata: Mapping[str, str]) -> None:
    """Write one file of any size: what an adapter's `BlobStore.upload` may consist of.

    Raises ModelError when the file cannot be read, RemoteError when the service fails for good.
    """
    with Window(path) as body:
        size = body.size
    Sender(store, ignore).send([Outgoing(path.name, path, key, size, metadata)], {})
