"""Files to upload: in one request, or in several attempts at a multipart upload."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudserve.savedmodel import Tree
from cloudserve.savedmodel.tree_cache import FileState
from cloudserve.storage.contract import Blob, Part, PartStore
from cloudserve.storage.events import FileDone
from cloudserve.storage.transfer import PartRange, Transfer

SHA256 = "cloudserve-sha256"
"""Key of the user metadata with a file's digest."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A local file and its key; `name` is shown to people."""

    name: str
    path: Path
    key: str
    size: int
    metadata: Mapping[str, str]
    """Identifies the content (`SHA256`): an object with equal metadata is not sent again."""

    def is_like(self, blob: Blob | None) -> bool:
        """Return whether an object, with its metadata, is this file."""
        metadata = {name.lower(): value for name, value in self.metadata.items()}
        return blob is not None and (blob.size, blob.metadata) == (self.size, metadata)


def outgoing_files(source: Path, tree: Tree, prefix: str) -> list[Outgoing]:
    """Return the files of a directory, to be sent below a key prefix."""
    return [
        Outgoing(f.path, source / f.path, prefix + f.path, f.size, {SHA256: f.sha256})
        for f in tree.files
    ]


@dataclass(slots=True)
class Attempt:
    """One attempt at the multipart upload of a file, by several threads."""

    file: Outgoing
    upload: str
    part_ranges: tuple[PartRange, ...]
    uploaded: Mapping[int, Part]
    """Parts that an earlier run uploaded."""
    state: FileState
    """State of the file at the start; if it is unchanged, all parts are of one content."""
    number: int = 0
    """Number of earlier attempts."""
    over: bool = False
    _done: dict[int, Part] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, part: Part) -> bool:
        """Record a part; return True to the one thread that recorded the last."""
        with self._lock:
            self._done[part.number] = part
            return len(self._done) == len(self.part_ranges)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return all parts in order."""
        return tuple(self._done[span.number] for span in self.part_ranges)

    def end(self) -> bool:
        """Return True to the one thread that ends the attempt."""
        with self._lock:
            was, self.over = self.over, True
            return not was


class SingleRequests:
    """Sends files in one request each; the keys of finished files are added to `sent`."""

    def __init__(self, store: PartStore, transfer: Transfer, sent: list[str]) -> None:
        self._store = store
        self._transfer = transfer
        self._sent = sent

    def is_uploaded(self, file: Outgoing) -> bool:
        """Return whether the object already is this file, by size and metadata."""
        return file.is_like(self._transfer.attempt(file.name, lambda: self._store.head(file.key)))

    def put(self, file: Outgoing) -> None:
        """Send a file in one request."""
        whole = PartRange(0, 0, file.size)
        meter = self._transfer.meter(file.name, whole)

        def put() -> None:
            with self._transfer.open_slice(file.path, whole, meter) as body:
                self._store.put(file.key, body, file.metadata)

        self._transfer.attempt(file.name, put)
        meter.finish()
        self.finish(file)

    def finish(self, file: Outgoing, *, moved: bool = True) -> None:
        """Record that a file is in the bucket."""
        self._sent.append(file.key)
        self._transfer.reporter.event(FileDone(file.name, file.size, moved))
