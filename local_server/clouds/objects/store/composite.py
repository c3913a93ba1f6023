"""Content that was joined of other content: parts into an object, objects into another.

Joining writes no bytes, as in the clouds: the pieces stay the files they are, and their CRCs give
that of the whole. One file is made of them, once, for who wants to read it; from then on it is
content like any other, and the pieces are let go.

A joined blob's address is a hash of its pieces' addresses, by another function than that of bytes.
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


class Joined:
    """Where content lies, in one file or in pieces."""

    def __init__(self, database: Database, blobs: BlobDirectory, objects: Objects) -> None:
        self._database = database
        self._blobs = blobs
        self._objects = objects
        self._lock = threading.Lock()

    def join(self, blobs: Sequence[Blob], wanted: Iterable[str] = ()) -> Blob:
        """Return stored blobs, one after another, as one.

        It has the CRCs and the checksums `wanted`; to compute another than a CRC reads the bytes.
        Raises FileNotFoundError when a piece has gone.
        """
        if len(blobs) == 1:
            return self.with_digests(blobs[0], wanted)
        crcs = {
            name: combined([(blob.digests[name], blob.size) for blob in blobs], polynomial)
            for name, polynomial in CRCS.items()
        }
        pieces = tuple(piece for blob in blobs for piece in self._pieces(blob.address))
        size = sum(blob.size for blob in blobs)
        joined = Blob(None, size, _address(blobs), crcs, pieces)
        return self.with_digests(joined, wanted)

    def with_digests(self, blob: Blob, wanted: Iterable[str]) -> Blob:
        """Return a stored blob with these checksums; raises FileNotFoundError when it has gone."""
        missing = tuple(name for name in wanted if not blob.digests.get(name))
        if not missing:
            return blob
        digests = Digests(missing)
        for address in blob.pieces or self._pieces(blob.address):
            with self._blobs.path(address).open("rb") as file:
                while chunk := file.read(COPY_BYTES):
                    digests.update(chunk)
        return replace(blob, digests={**blob.digests, **digests.result()})

    def path(self, address: bytes) -> Path:
        """Return the file that holds all of this content, or held it before it went."""
        path = self._blobs.path(address)
        if not path.exists():
            with self._lock:  # who reads it in parts asks for it several times at once
                if not path.exists():
                    self._make(address)
        return path

    def _make(self, address: bytes) -> None:
        """Make one file of the pieces; does nothing where there are none."""
        staged: Path | None = None
        with suppress(FileNotFoundError):  # another process has made it, or it was deleted
            staged = self._blobs.concatenate(self._pieces(address))
        if staged is None:
            return
        try:
            with self._database.write() as connection:
                pieces = take_pieces(connection, address)
                if pieces:
                    self._blobs.place(staged, address)
                    self._objects.release(connection, pieces)
        finally:
            staged.unlink(missing_ok=True)

    def _pieces(self, address: bytes) -> tuple[bytes, ...]:
        """Return the files that content lies in, one after another."""
        with self._database.read() as connection:
            return pieces_of(connection, address) or (address,)


def _address(blobs: Sequence[Blob]) -> bytes:
    addresses = b"".join(blob.address for blob in blobs)
    return hashlib.blake2b(addresses, digest_size=ADDRESS_BYTES, person=b"joined").digest()
