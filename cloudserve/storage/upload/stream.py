"""Bytes that are made while they are sent: an object of unknown size, in parts.

Only the parts under way are on this disk, a temporary file each. The maker must produce the same
bytes each time; then an interrupted upload goes on by parts, as that of a file does.
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
from cloudserve.storage.events import Moved, Observe, Skipped, ignore, serialized
from cloudserve.storage.part_ranges import PART
from cloudserve.storage.retry import Retry
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.file_slice import Window
from cloudserve.storage.upload.multipart import RESTARTS, find_upload, taken_away, taken_over

AT_ONCE = 4
"""Parts that are made or sent at a time: what the disk must hold."""
Make = Callable[["Sink"], None]
"""Writes all bytes to a sink."""


class Sink:
    """What a maker writes to: cuts the bytes into files of one part each and hands those on.

    Raises UserError when the disk refuses.
    """

    def __init__(self, folder: Path, part: int, take: Callable[[int, Path], None]) -> None:
        self._folder = folder
        self._part = part
        self._take = take
        self._number = 0
        self._room = 0
        self._file: IO[bytes] | None = None

    def write(self, data: bytes) -> int:
        """Take bytes; returns how many."""
        view = memoryview(data)
        while view:
            if self._file is None or not self._room:
                self._next()
            assert self._file is not None, "the next part was begun"
            piece = view[: self._room]
            with _keeping(self._folder):
                self._file.write(piece)
            self._room -= len(piece)
            view = view[len(piece) :]
        return len(data)

    def flush(self) -> None:
        """Do nothing: a part goes when it is full."""

    def finish(self) -> None:
        """Hand on the last part; of no bytes at all there is one, too."""
        if self._file is None:
            self._next()
        self._hand_on()

    def close(self) -> None:
        """Close the file of a part that was not finished."""
        if self._file is not None:
            with suppress(OSError):  # a full disk refuses what was buffered; nobody wants it now
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
            f"a part cannot be kept until it is sent: {error.strerror or error}",
            where=str(folder),
            hint="make room there, or set TMPDIR to a directory that has some",
        ) from error


def send_stream(  # noqa: PLR0913 - what goes where, and how
    store: PartStore,
    key: str,
    metadata: Mapping[str, str],
    make: Make,
    observe: Observe = ignore,
    *,
    retry: Retry | None = None,
    part: int = PART,
) -> None:
    """Make an object of what `make` writes, as long as nobody makes it of the same meanwhile.

    Raises what `make` raises, and RemoteError when the service fails; then there is no object, and
    the parts that arrived wait for the next call.
    """
    transfer = Transfer(serialized(observe), retry or Retry(), part)
    work = _Work(store, key, transfer)
    upload, there = find_upload(store, transfer, key, key)
    with tempfile.TemporaryDirectory(prefix="cloudserve-parts-") as name:
        for _ in range(RESTARTS + 1):
            if upload is None:
                upload, there = transfer.attempt(key, lambda: store.begin(key, metadata)), {}
            if upload is None:
                work.put_whole(Path(name), metadata, make)
                return
            with suppress(UploadGoneError):  # somebody else has completed or aborted it
                work.send(Path(name), upload, there, make)
            # What was left there may have been begun for another content, and says so.
            if work.says(metadata):
                return
            upload = None
    raise taken_away(store, key, key)


class _Work:
    """The sending of one object."""

    def __init__(self, store: PartStore, key: str, transfer: Transfer) -> None:
        self._store = store
        self._key = key
        self._transfer = transfer

    def says(self, metadata: Mapping[str, str]) -> bool:
        """Say whether the object has this metadata."""
        head = self._transfer.attempt(self._key, lambda: self._store.head(self._key))
        return head is not None and head.metadata == {k.lower(): v for k, v in metadata.items()}

    def put_whole(self, folder: Path, metadata: Mapping[str, str], make: Make) -> None:
        """Make all of it on disk, for a service that takes no parts."""
        whole = folder / "whole"
        with (
            whole.open("wb") as file,
            closing(Sink(folder, PART, lambda _, path: _append(path, file))) as sink,
        ):
            make(sink)
            sink.finish()

        def put() -> None:
            with Window(whole) as body:
                self._store.put(self._key, body, metadata)

        self._transfer.attempt(self._key, put)
        self._transfer.observe(Moved(self._key, whole.stat().st_size))

    def send(self, folder: Path, upload: str, there: Mapping[int, Part], make: Make) -> None:
        """Send the parts as they are made, and complete the upload."""
        futures: list[Future[Part]] = []
        with ThreadPoolExecutor(AT_ONCE, "stream") as pool:

            def take(number: int, path: Path) -> None:
                futures.append(pool.submit(self._part, upload, number, path, there.get(number)))
                if len(futures) >= AT_ONCE:
                    futures[-AT_ONCE].result()  # what failed ends the making, too

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

    def _part(self, upload: str, number: int, path: Path, there: Part | None) -> Part:
        try:
            return self._send_part(upload, number, path, there)
        finally:
            path.unlink()

    def _send_part(self, upload: str, number: int, path: Path, there: Part | None) -> Part:
        with Window(path) as body:
            size = body.size
            taken = taken_over(self._store, there, body)
        if taken is not None:
            self._transfer.observe(Skipped(self._key, size))
            return taken

        def send() -> Part:
            with Window(path) as body:
                return self._store.send_part(self._key, upload, number, body)

        part = self._transfer.attempt(self._key, send)
        self._transfer.observe(Moved(self._key, size))
        return part


def _append(path: Path, file: IO[bytes]) -> None:
    with _keeping(path.parent):
        file.write(path.read_bytes())
    path.unlink()
