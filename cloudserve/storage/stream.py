"""Bytes that are made while they are sent: an object of unknown size, in parts.

Only the parts under way are on this disk, a temporary file each. The maker must produce the same
bytes each time; then an interrupted upload goes on by parts, as that of a file does.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import IO, TypeVar

from cloudserve.storage.contract import Part, PartStore, UploadGoneError
from cloudserve.storage.events import Moved, Observe, Retrying, Skipped, ignore, serialized
from cloudserve.storage.outgoing import PART
from cloudserve.storage.retry import Retry
from cloudserve.storage.window import Window

AT_ONCE = 4
Make = Callable[["Sink"], None]
"""Writes all bytes to a sink."""
Result = TypeVar("Result")


class Sink:
    """What a maker writes to: cuts the bytes into files of one part each and hands those on."""

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
            self._file.close()

    def _next(self) -> None:
        self._hand_on()
        self._number += 1
        self._room = self._part
        self._file = self._path.open("wb")

    def _hand_on(self) -> None:
        if self._file is not None:
            self._file.close()
            self._take(self._number, self._path)

    @property
    def _path(self) -> Path:
        return self._folder / str(self._number)


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
    """Make an object of what `make` writes.

    Raises what `make` raises, and RemoteError when the service fails; then there is no object, and
    the parts that arrived wait for the next call.
    """
    work = _Work(store, key, serialized(observe), retry or Retry())
    upload, there = work.find()
    with tempfile.TemporaryDirectory(prefix="cloudserve-parts-") as name:
        if upload is not None:
            work.send(Path(name), upload, there, make, part)
            if work.says(metadata):
                return
        # What was left there was begun for another content, and says so; or there was nothing.
        upload = work.attempt(lambda: store.begin(key, metadata))
        if upload is None:
            work.put_whole(Path(name), metadata, make)
        else:
            work.send(Path(name), upload, {}, make, part)


class _Work:
    """The sending of one object."""

    def __init__(self, store: PartStore, key: str, observe: Observe, retry: Retry) -> None:
        self._store = store
        self._key = key
        self._observe = observe
        self._retry = retry
        self._room = threading.Semaphore(AT_ONCE)

    def find(self) -> tuple[str | None, dict[int, Part]]:
        """Return the newest upload under way and its parts."""
        for upload in self.attempt(lambda: self._store.open_uploads(self._key)):
            try:
                parts = self.attempt(lambda found=upload: self._store.parts(self._key, found))  # type: ignore[misc]
            except UploadGoneError:
                continue
            return upload, {part.number: part for part in parts}
        return None, {}

    def says(self, metadata: Mapping[str, str]) -> bool:
        """Say whether the object has this metadata."""
        head = self.attempt(lambda: self._store.head(self._key))
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

        self.attempt(put)
        self._observe(Moved(self._key, whole.stat().st_size))

    def send(
        self, folder: Path, upload: str, there: Mapping[int, Part], make: Make, part: int
    ) -> None:
        """Send the parts as they are made, and complete the upload."""
        futures: list[Future[Part]] = []
        with ThreadPoolExecutor(AT_ONCE, "stream") as pool:

            def take(number: int, path: Path) -> None:
                self._room.acquire()
                for future in futures:
                    if future.done():
                        future.result()  # what failed ends the making, too
                futures.append(pool.submit(self._part, upload, number, path, there.get(number)))

            try:
                with closing(Sink(folder, part, take)) as sink:
                    make(sink)
                    sink.finish()
            except BaseException:
                self._retry.stop.set()
                raise
        parts = [future.result() for future in futures]
        self.attempt(lambda: self._store.complete(self._key, upload, parts, None))

    def _part(self, upload: str, number: int, path: Path, there: Part | None) -> Part:
        try:
            return self._send_part(upload, number, path, there)
        finally:
            path.unlink()
            self._room.release()

    def _send_part(self, upload: str, number: int, path: Path, there: Part | None) -> Part:
        with Window(path) as body:
            size = body.size
            if there is not None and there.size == size and self._store.is_same(there, body):
                self._observe(Skipped(self._key, size))
                return there

        def send() -> Part:
            with Window(path) as body:
                return self._store.send_part(self._key, upload, number, body)

        part = self.attempt(send)
        self._observe(Moved(self._key, size))
        return part

    def attempt(self, call: Callable[[], Result]) -> Result:
        """Call, and again when it fails in passing."""
        return self._retry.run(
            call, lambda error, pause: self._observe(Retrying(self._key, error.message, pause))
        )


def _append(path: Path, file: IO[bytes]) -> None:
    file.write(path.read_bytes())
    path.unlink()
