"""An object of a bucket as a stream that resumes after a broken connection."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from typing import Any

from cloudserve.errors import RemoteError
from cloudserve.storage.contract import Blob, PartStore
from cloudserve.storage.transfer import Transfer
from cloudserve.storage.upload.file_slice import BLOCK


def open_object(store: PartStore, blob: Blob, transfer: Transfer) -> BufferedReader:
    """Open an object, which must stay the one with this token; reaches no network yet.

    Reading raises ConflictError when it is another by now, RemoteError after the last attempt.
    """
    return BufferedReader(_Reader(store, blob, transfer), BLOCK)


class _Reader(RawIOBase):
    """Reads the object's rest again after each transient failure."""

    def __init__(self, store: PartStore, blob: Blob, transfer: Transfer) -> None:
        super().__init__()
        self._store = store
        self._blob = blob
        self._transfer = transfer
        self._blocks: Iterator[bytes] | None = None
        self._arrived = 0
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and self._arrived < self._blob.size:
            self._left = memoryview(self._transfer.attempt(self._blob.key, self._next))
            self._arrived += len(self._left)
        size = min(len(self._left), len(buffer))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def _next(self) -> bytes:
        if self._blocks is None:
            rest = self._blob.size - self._arrived
            self._blocks = self._store.read_range(self._blob, self._arrived, rest)
        try:
            return next(self._blocks, b"")
        except RemoteError:
            self._blocks = None
            raise

    def close(self) -> None:
        self._blocks = None  # which ends its request
        super().close()
