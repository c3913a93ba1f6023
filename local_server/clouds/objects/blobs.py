"""Content-addressed files on disk: a blob is there whole or not at all.

ROOT/blobs/ab/ab12…      by SHA-256, read-only, fsynced before it gets this name
ROOT/staging/…           being written; swept when the store is opened by nobody else
ROOT/sessions/ID         resumable uploads, which outlive a restart
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from .checksums import ALWAYS, OF_JOINED, Digests
from .nouns import Blob

COPY_BYTES = 1 << 20
READ_ONLY = 0o444


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
        """Close the file, safe on disk, and return it with its checksums."""
        self.sync()
        self._file.close()
        return Blob(self._path, self.size, self._digests.result())

    def close(self) -> None:
        """Close the file and leave it for a later writer to resume."""
        self._file.close()

    def abort(self) -> None:
        """Close the file and forget it."""
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
        return self._writer((*ALWAYS, *extra))

    def _writer(self, checksums: tuple[str, ...]) -> BlobWriter:
        return BlobWriter(self._staging / uuid.uuid4().hex, checksums)

    def path(self, sha256: bytes) -> Path:
        """Return where the blob of this digest lies, or would lie."""
        name = sha256.hex()
        return self._blobs / name[:2] / name

    def session(self, session: str) -> Path:
        """Return the file of a resumable session."""
        return self._sessions / session

    def adopt(self, blob: Blob) -> None:
        """Move a staged file to its address, or drop it where its content is there already."""
        if blob.staged is None:
            return
        target = self.path(blob.digests["sha256"])
        if target.exists():
            blob.staged.unlink()
            return
        target.parent.mkdir(exist_ok=True)
        blob.staged.chmod(READ_ONLY)
        blob.staged.rename(target)
        sync_directory(target.parent)
        sync_directory(self._blobs)

    def join(self, parts: Iterable[bytes], extra: tuple[str, ...] = ()) -> Blob:
        """Write blobs, named by their digests, one after another into a new staged file.

        The blob has no MD5 (see `with_md5`). Raises FileNotFoundError when a part has gone.
        """
        writer = self._writer((*OF_JOINED, *extra))
        try:
            for sha256 in parts:
                self.copy(writer, sha256)
            return writer.finish()
        except BaseException:
            writer.abort()
            raise

    def with_md5(self, blob: Blob) -> Blob:
        """Return a stored blob with its MD5; raises FileNotFoundError when it has gone."""
        if blob.digests.get("md5"):
            return blob
        with self.path(blob.digests["sha256"]).open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
        return replace(blob, digests={**blob.digests, "md5": md5})

    def copy(self, writer: BlobWriter, sha256: bytes, offset: int = 0, length: int = -1) -> None:
        """Append `length` bytes of a blob from `offset` (all when negative) to a writer."""
        with self.path(sha256).open("rb") as file:
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


def sync_directory(path: Path) -> None:
    """Make the names in a directory safe on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
