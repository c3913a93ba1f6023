"""Content-addressed files on disk, each published atomically.

ROOT/blobs/ab/ab12…      blobs by address: read-only, and fsynced before the rename
ROOT/staging/…           files being written; swept when nobody else has the store open
ROOT/sessions/ID         resumable uploads, which survive a restart

An address is the SHA-256 of the bytes. The address of a composite blob is a hash of its pieces'
addresses (see `composite`), so equal content is stored once for each way it was split.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cloudserve.files import sync_directory

from .checksums import ALWAYS, Digests
from .types import Blob

COPY_BYTES = 1 << 20
READ_ONLY = 0o444


class BlobWriter:
    """Writes one temporary file and hashes it on the way."""

    def __init__(
        self, path: Path, checksums: tuple[str, ...] = ALWAYS, resume_at: int | None = None
    ) -> None:
        """Create the file; with `resume_at`, reopen it, truncate it and hash what is left."""
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
        """Flush the written bytes to disk and return their number."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.size

    def finish(self) -> Blob:
        """Flush and close the file, and return it with its checksums.

        Raises OSError if the disk refuses the bytes; the file is removed then.
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
        """Close and remove the file."""
        with suppress(OSError):  # a full disk refuses the buffered bytes, which are dropped anyway
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
        """Return a writer of a new temporary file; `extra` names checksums beyond `ALWAYS`."""
        return BlobWriter(self._new(), (*ALWAYS, *extra))

    def _new(self) -> Path:
        return self._staging / uuid.uuid4().hex

    def path(self, address: bytes) -> Path:
        """Return the path of the blob with this address, whether it exists or not."""
        name = address.hex()
        return self._blobs / name[:2] / name

    def session(self, session: str) -> Path:
        """Return the file of a resumable session."""
        return self._sessions / session

    def shared(self, blob: Blob) -> Blob:
        """Return a finished blob with a second name for its file, which a put may consume."""
        assert blob.temp_path is not None
        path = self._new()
        try:
            path.hardlink_to(blob.temp_path)
        except OSError:  # a file system without hard links
            shutil.copyfile(blob.temp_path, path)
            sync_file(path)
        return replace(blob, temp_path=path)

    def own(self, path: Path, size: int) -> None:
        """Make a session's file writable: copy its first bytes if a blob may share it.

        A process that was killed in `place` leaves a file that is read-only or has two names.
        Raises FileNotFoundError.
        """
        status = path.stat()
        if status.st_nlink == 1 and status.st_mode & stat.S_IWUSR:
            return
        copy = self._new()
        with path.open("rb") as source, copy.open("xb") as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
            target.truncate(size)
        sync_file(copy)
        copy.rename(path)

    def discard(self, blob: Blob) -> None:
        """Remove the file of a blob that was not stored."""
        if blob.temp_path is not None:
            blob.temp_path.unlink(missing_ok=True)

    def place(self, temp_path: Path, address: bytes) -> None:
        """Move a temporary file to its address, or remove it if that address exists."""
        target = self.path(address)
        if target.exists():
            temp_path.unlink()
            return
        temp_path.chmod(READ_ONLY)
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            sync_directory(self._blobs)
        temp_path.rename(target)
        sync_directory(target.parent)

    def concatenate(self, addresses: Sequence[bytes]) -> Path:
        """Write stored files one after another into a new temporary file, flushed to disk.

        Raises FileNotFoundError if one no longer exists and OSError if the disk refuses the bytes;
        the new file is removed then.
        """
        path = self._new()
        try:
            with path.open("xb") as joined:
                for address in addresses:
                    with self.path(address).open("rb") as file:
                        shutil.copyfileobj(file, joined, COPY_BYTES)
                joined.flush()
                os.fsync(joined.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def stored(self) -> Iterator[Path]:
        """Yield every blob's file."""
        yield from self._blobs.glob("??/*")

    def sweep(self, sessions: set[str]) -> None:
        """Remove leftover temporary files and session files, except those of `sessions`."""
        for path in self._staging.iterdir():
            path.unlink()
        for path in self._sessions.iterdir():
            if path.name not in sessions:
                path.unlink()


def sync_file(path: Path) -> None:
    """Flush a file's bytes to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
