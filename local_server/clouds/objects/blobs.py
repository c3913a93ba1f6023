"""Content-addressed files on disk: a blob is there whole or not at all.

ROOT/blobs/ab/ab12…      by address, read-only, fsynced before it gets this name
ROOT/staging/…           being written; swept when the store is opened by nobody else
ROOT/sessions/ID         resumable uploads, which outlive a restart

An address is the SHA-256 of the bytes, or, of what was joined, a hash of the pieces' addresses:
joining costs a copy and no second look at the bytes. So the same content is stored once for each
way in which it was cut.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from .checksums import ALWAYS, Digests
from .crc_combine import CRC32_POLYNOMIAL, CRC32C_POLYNOMIAL, combined
from .nouns import Blob

COPY_BYTES = 1 << 20
READ_ONLY = 0o444
ADDRESS_BYTES = 32


class BlobWriter:
    """Writes one staged file and hashes it on the way."""

    def __init__(
        self, path: Path, checksums: tuple[str, ...] = ALWAYS, resume_at: int | None = None
    ) -> None:
        """Create the file, or reopen it, cut it to `resume_at` bytes and hash those again."""
        self._path = path
        self._digests = Digests(checksums)
        self.size = 0
        self._file = path.open("xb" if resume_at is None else "r+b")
        if resume_at is not None:
            self._rehash(resume_at)

    def _rehash(self, size: int) -> None:
        self._file.truncate(size)
        with self._path.open("rb") as file:
            while chunk := file.read(COPY_BYTES):
                self._digests.update(chunk)
                self.size += len(chunk)
        self._file.seek(self.size)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)
        self._digests.update(data)
        self.size += len(data)

    def sync(self) -> int:
        """Make what was written safe on disk and return its size."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.size

    def finish(self) -> Blob:
        """Close the file, safe on disk, and return it with its checksums.

        Raises OSError when the disk refuses; then the file is forgotten.
        """
        try:
            self.sync()
        except OSError:
            self.abort()
            raise
        self._file.close()
        digests = self._digests.result()
        return Blob(self._path, self.size, digests["sha256"], digests)

    def close(self) -> None:
        """Close the file and leave it for a later writer to resume."""
        self._file.close()

    def abort(self) -> None:
        """Close the file and forget it."""
        with suppress(OSError):  # a full disk refuses what was buffered; nobody wants it now
            self._file.close()
        self._path.unlink(missing_ok=True)


class BlobDirectory:
    """The files of a store."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._staging = root / "staging"
        self._sessions = root / "sessions"
        for folder in (self._blobs, self._staging, self._sessions):
            folder.mkdir(parents=True, exist_ok=True)

    def writer(self, extra: tuple[str, ...] = ()) -> BlobWriter:
        """Return a writer of a new staged file; `extra` names checksums beyond `ALWAYS`."""
        return BlobWriter(self._new(), (*ALWAYS, *extra))

    def _new(self) -> Path:
        return self._staging / uuid.uuid4().hex

    def path(self, address: bytes) -> Path:
        """Return where the blob of this address lies, or would lie."""
        name = address.hex()
        return self._blobs / name[:2] / name

    def session(self, session: str) -> Path:
        """Return the file of a resumable session."""
        return self._sessions / session

    def adopt(self, blob: Blob) -> None:
        """Move a staged file to its address, or drop it where its content is there already."""
        if blob.staged is None:
            return
        target = self.path(blob.address)
        if target.exists():
            blob.staged.unlink()
            return
        target.parent.mkdir(exist_ok=True)
        blob.staged.chmod(READ_ONLY)
        blob.staged.rename(target)
        sync_directory(target.parent)
        sync_directory(self._blobs)

    def join(self, pieces: Sequence[Blob], extra: tuple[str, ...] = ()) -> Blob:
        """Write stored blobs one after another into a new staged file.

        The blob has the CRCs, what `extra` names, and no MD5 (see `with_md5`). Raises
        FileNotFoundError when a piece has gone.
        """
        path = self._new()
        try:
            self._concatenate(pieces, path)
            digests = {
                "crc32": combined([(p.digests["crc32"], p.size) for p in pieces], CRC32_POLYNOMIAL),
                "crc32c": combined(
                    [(p.digests["crc32c"], p.size) for p in pieces], CRC32C_POLYNOMIAL
                ),
                **_digests_of(path, extra),
            }
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Blob(path, sum(piece.size for piece in pieces), _joined(pieces), digests)

    def _concatenate(self, pieces: Sequence[Blob], path: Path) -> None:
        with path.open("xb") as joined:
            for piece in pieces:
                with self.path(piece.address).open("rb") as file:
                    shutil.copyfileobj(file, joined, COPY_BYTES)
            joined.flush()
            os.fsync(joined.fileno())

    def with_md5(self, blob: Blob) -> Blob:
        """Return a stored blob with its MD5; raises FileNotFoundError when it has gone."""
        if blob.digests.get("md5"):
            return blob
        md5 = _digests_of(self.path(blob.address), ("md5",))
        return replace(blob, digests={**blob.digests, **md5})

    def copy(self, writer: BlobWriter, address: bytes, offset: int = 0, length: int = -1) -> None:
        """Append `length` bytes of a blob from `offset` (all when negative) to a writer."""
        with self.path(address).open("rb") as file:
            file.seek(offset)
            left = length if length >= 0 else os.fstat(file.fileno()).st_size - offset
            while left and (chunk := file.read(min(COPY_BYTES, left))):
                writer.write(chunk)
                left -= len(chunk)

    def stored(self) -> Iterator[Path]:
        """Yield every blob's file."""
        yield from self._blobs.glob("??/*")

    def sweep(self, sessions: set[str]) -> None:
        """Remove what writers left behind, except the files of these sessions."""
        for path in self._staging.iterdir():
            path.unlink()
        for path in self._sessions.iterdir():
            if path.name not in sessions:
                path.unlink()


def _joined(pieces: Sequence[Blob]) -> bytes:
    """Return an address that no content has by itself: it is of another hash function."""
    addresses = b"".join(piece.address for piece in pieces)
    return hashlib.blake2b(addresses, digest_size=ADDRESS_BYTES, person=b"joined").digest()


def _digests_of(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    if not names:
        return {}
    digests = Digests(names)
    with path.open("rb") as file:
        while chunk := file.read(COPY_BYTES):
            digests.update(chunk)
    return digests.result()


def sync_directory(path: Path) -> None:
    """Make the names in a directory safe on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
