"""Upload of an object of unknown size that is made while it is sent, in parts.

Only the parts in progress are on the local disk, as temporary files. The maker must produce the
same bytes each time; an interrupted upload is then resumed like that of a file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from cloudserve.errors import UserError
from cloudserve.storage.contract import Part, PartStore, UploadGoneError
from cloudserve.storage.events import Moved, Skipped
from cloudserve.storage.transfer import PART, Transfer
from cloudserve.storage.upload.file_slice import FileSlice
from cloudserve.storage.upload.multipart import (
    RESTARTS,
    find_upload,
    reused_part,
    upload_lost_error,
)

CONCURRENT_PARTS = 4
"""Parts that are made or sent at a time: the disk must hold them."""
Make = Callable[["Sink"], None]
"""Writes the whole content to a sink."""


class Sink:
    """The stream that a maker writes to: split into one file per part, each passed on when full.

    Raises UserError if the disk refuses.
    """

    def __init__(self, folder: Path, part: int, take: Callable[[int, Path], None]) -> None:
        self._folder = folder
        self._part = part
        self._take = take
        self._number = 0
        self._room = 0
        self._file: IO[bytes] | None = None

    def write(self, data: bytes) -> int:
        """Write bytes; return their number."""
        view = memoryview(data)
        while view:
            if self._file is None or not self._room:
                self._next()
            assert self._file is not None, "the next part was started"
            piece = view[: self._room]
            with _keeping(self._folder):
                self._file.write(piece)
            self._room -= len(piece)
            view = view[len(piece) :]
        return len(data)

    def flush(self) -> None:
        """Do nothing: a part is passed on when it is full."""

    def finish(self) -> None:
        """Pass on the last part; an empty stream has one empty part."""
        if self._file is None:
            self._next()
        self._hand_on()

    def close(self) -> None:
        """Close the file of an unfinished part."""
        if self._file is not None:
            with suppress(OSError):  # a full disk refuses buffered bytes; they are dropped anyway
                self._file.close()

    def _next(self) -> None:
        self._hand_on()
        self._number += 1
        self._room = self._part
        with _keeping(self._folder):
            self._file = self._path.open("wb")

    def _hand_on(self) -> None:
        if self._file is not None:
            with _keeping(self._folder):
                self._file.close()
            self._take(self._number, self._path)

    @property
    def _path(self) -> Path:
        return self._folder / str(self._number)


@contextmanager
def _keeping(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"a part cannot be stored until it is sent: {error.strerror or error}",
            where=str(folder),
            hint="make room there, or set TMPDIR to a directory with more room",
        ) from error


def send_stream(
    store: PartStore, key: str, metadata: Mapping[str, str], make: Make, transfer: Transfer
) -> None:
    """Upload what `make` writes as one object, unless another client finishes the same first.

    Raises whatever `make` raises, and RemoteError if the service fails; there is no object then,
    and the uploaded parts are reused by the next call.
    """
    work = _Work(store, key, transfer)
    upload, uploaded = find_upload(store, transfer, key, key)
    with tempfile.TemporaryDirectory(prefix="cloudserve-parts-") as name:
        for _ in range(RESTARTS + 1):
            if upload is None:
                upload, uploaded = transfer.attempt(key, lambda: store.begin(key, metadata)), {}
            if upload is None:
                work.put_whole(Path(name), metadata, make)
                return
            with suppress(UploadGoneError):  # another client completed or aborted it
                work.send(Path(name), upload, uploaded, make)
            # A resumed upload may have been started for different content; its metadata tells.
            if work.has_metadata(metadata):
                return
            upload = None
    raise upload_lost_error(store, key, key)


class _Work:
    """The upload of one object."""

    def __init__(self, store: PartStore, key: str, transfer: Transfer) -> None:
        self._store = store
        self._key = key
        self._transfer = transfer

    def has_metadata(self, metadata: Mapping[str, str]) -> bool:
        """Return whether the object has this metadata."""
        head = self._transfer.attempt(self._key, lambda: self._store.head(self._key))
        return head is not None and head.metadata == {k.lower(): v for k, v in metadata.items()}

    def put_whole(self, folder: Path, metadata: Mapping[str, str], make: Make) -> None:
        """Make the whole content on disk, for a service that does not support parts."""
        whole = folder / "whole"
        with (
            whole.open("wb") as file,
            closing(Sink(folder, PART, lambda _, path: _append(path, file))) as sink,
        ):
            make(sink)
            sink.finish()

        def put() -> None:
            with FileSlice(whole) as body:
                self._store.put(self._key, body, metadata)

        self._transfer.attempt(self._key, put)
        self._transfer.reporter.event(Moved(self._key, whole.stat().st_size))

    def send(self, folder: Path, upload: str, uploaded: Mapping[int, Part], make: Make) -> None:
        """Send the parts as they are made, and complete the upload."""
        futures: list[Future[Part]] = []
        with ThreadPoolExecutor(CONCURRENT_PARTS, "stream") as pool:

            def take(number: int, path: Path) -> None:
                futures.append(pool.submit(self._part, upload, number, path, uploaded.get(number)))
                if len(futures) >= CONCURRENT_PARTS:
                    futures[-CONCURRENT_PARTS].result()  # a failed part ends the maker, too

            try:
                with closing(Sink(folder, self._transfer.part, take)) as sink:
                    make(sink)
                    sink.finish()
            except UploadGoneError:
                raise
            except BaseException:
                self._transfer.retry.stop.set()
                raise
        parts = [future.result() for future in futures]
        self._transfer.attempt(self._key, lambda: self._store.complete(self._key, upload, parts))

    def _part(self, upload: str, number: int, path: Path, uploaded: Part | None) -> Part:
        try:
            return self._send_part(upload, number, path, uploaded)
        finally:
            path.unlink()

    def _send_part(self, upload: str, number: int, path: Path, uploaded: Part | None) -> Part:
        with FileSlice(path) as body:
            size = body.size
            reused = reused_part(self._store, uploaded, body)
        if reused is not None:
            self._transfer.reporter.event(Skipped(self._key, size))
            return reused

        def send() -> Part:
            with FileSlice(path) as body:
                return self._store.send_part(self._key, upload, number, body)

        part = self._transfer.attempt(self._key, send)
        self._transfer.reporter.event(Moved(self._key, size))
        return part


def _append(path: Path, file: IO[bytes]) -> None:
    with _keeping(path.parent):
        file.write(path.read_bytes())
    path.unlink()
