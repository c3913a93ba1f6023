"""Composite content: an object of uploaded parts, or of other objects.

Composing writes no bytes, as in the clouds: the pieces keep their files, and the CRC of the whole
is combined from theirs. The first reader turns the pieces into one file, which then is content
like any other; the pieces are released.

A composite's address is a hash of its pieces' addresses, by another function than that of bytes.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cloudserve.storage.upload.crc import CRC32_POLYNOMIAL, CRC32C_POLYNOMIAL, combined

from .blobs import COPY_BYTES, BlobDirectory
from .checksums import Digests
from .database import Database
from .object_table import Objects, pieces_of, take_pieces
from .types import Blob

ADDRESS_BYTES = 32
CRCS = {"crc32": CRC32_POLYNOMIAL, "crc32c": CRC32C_POLYNOMIAL}


class Composites:
    """Composite blobs and their files."""

    def __init__(self, database: Database, blobs: BlobDirectory, objects: Objects) -> None:
        self._database = database
        self._blobs = blobs
        self._objects = objects
        self._lock = threading.Lock()

    def join(self, blobs: Sequence[Blob], checksums: Iterable[str] = ()) -> Blob:
        """Return the concatenation of stored blobs as one blob.

        It has the CRCs and the requested checksums; computing any other than a CRC reads the bytes.
        Raises FileNotFoundError if a piece no longer exists.
        """
        if len(blobs) == 1:
            return self.with_digests(blobs[0], checksums)
        crcs = {
            name: combined([(blob.digests[name], blob.size) for blob in blobs], polynomial)
            for name, polynomial in CRCS.items()
        }
        pieces = tuple(piece for blob in blobs for piece in self._pieces(blob.address))
        size = sum(blob.size for blob in blobs)
        composite = Blob(None, size, _address(blobs), crcs, pieces)
        return self.with_digests(composite, checksums)

    def with_digests(self, blob: Blob, checksums: Iterable[str]) -> Blob:
        """Return a stored blob with these checksums; raises FileNotFoundError if it is gone."""
        missing = tuple(name for name in checksums if not blob.digests.get(name))
        if not missing:
            return blob
        digests = Digests(missing)
        for address in blob.pieces or self._pieces(blob.address):
            with self._blobs.path(address).open("rb") as file:
                while chunk := file.read(COPY_BYTES):
                    digests.update(chunk)
        return replace(blob, digests={**blob.digests, **digests.result()})

    def path(self, address: bytes) -> Path:
        """Return the content's path; the file may be gone by now."""
        path = self._blobs.path(address)
        if not path.exists():
            with self._lock:  # a client that reads in ranges asks for it several times in parallel
                if not path.exists():
                    self._make(address)
        return path

    def _make(self, address: bytes) -> None:
        """Concatenate the pieces into one file, unless another process already has."""
        temp_path: Path | None = None
        with suppress(FileNotFoundError):  # already one file, or deleted
            temp_path = self._blobs.concatenate(self._pieces(address))
        if temp_path is None:
            return
        try:
            with self._database.write() as connection:
                pieces = take_pieces(connection, address)
                if pieces:
                    self._blobs.place(temp_path, address)
                    self._objects.release(connection, pieces)
        finally:
            temp_path.unlink(missing_ok=True)

    def _pieces(self, address: bytes) -> tuple[bytes, ...]:
        """Return the addresses of the files that hold the content, in order."""
        with self._database.read() as connection:
            return pieces_of(connection, address) or (address,)


def _address(blobs: Sequence[Blob]) -> bytes:
    addresses = b"".join(blob.address for blob in blobs)
    return hashlib.blake2b(addresses, digest_size=ADDRESS_BYTES, person=b"joined").digest()
