"""Files that are downloaded in parts, with a journal for resumption."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cloudserve.errors import ConflictError, UserError
from cloudserve.storage.contract import Blob
from cloudserve.storage.transfer import PartRange


@dataclass(frozen=True, slots=True)
class Incoming:
    """An object and its local file; without a `sha256`, only the size is verified."""

    name: str
    blob: Blob
    path: Path
    sha256: str = ""


def local_path(root: Path, name: str) -> Path:
    """Return the local path of a name from a bucket.

    Raises ConflictError for a name outside the folder, or one that no file can have.
    """
    path = PurePosixPath(name)
    plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
    if not plain or not name or "\0" in name:
        raise ConflictError(
            f"{name!a} cannot be a file below a directory",
            hint="nothing was written; the manifest or the keys in the bucket are not a model's",
        )
    return root / name


@dataclass(slots=True)
class PartialFile:
    """A file that several threads write in parts, across interruptions.

    A journal beside it has the numbers of the written parts, so a later process downloads only
    the others. File and journal are trusted only once the whole file's digest matches.
    """

    file: Incoming
    part_ranges: tuple[PartRange, ...]
    _done: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _journal(self) -> Path:
        return self.file.path.with_name(f"{self.file.path.name}.cloudserve-parts")

    @property
    def _body(self) -> Path:
        return self.file.path.with_name(f"{self.file.path.name}.cloudserve-part")

    def open(self) -> frozenset[int]:
        """Create the file; return the numbers of the parts that it already has."""
        with writing(self.file.path):
            self.file.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.file.sha256:  # nothing can verify an earlier file
                self._body.unlink(missing_ok=True)
            if not self._body.exists():
                self._journal.unlink(missing_ok=True)
            with self._body.open("ab") as body:
                body.truncate(self.file.blob.size)
            self._done = self._read_journal()
        return frozenset(self._done)

    def write(self, span: PartRange, pieces: Iterable[bytes]) -> int:
        """Write a part; return the number of bytes."""
        position = span.offset
        descriptor = os.open(self._body, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for piece in pieces:
                with writing(self.file.path):
                    os.pwrite(descriptor, piece, position)
                position += len(piece)
        finally:
            os.close(descriptor)
        return position - span.offset

    def add(self, span: PartRange) -> bool:
        """Record a written part; return True to the one thread that recorded the last part."""
        with self._lock, writing(self.file.path):
            self._done.add(span.number)
            with self._journal.open("a", encoding="ascii") as journal:
                journal.write(f"{span.number}\n")
            return len(self._done) == len(self.part_ranges)

    def finish(self) -> bool:
        """Rename the file if its digest is right; otherwise remove it."""
        with writing(self.file.path):
            right = self.file.sha256 in {"", sha256_of(self._body)}
            if right:
                with self._body.open("rb") as body:
                    os.fsync(body.fileno())
                self._body.replace(self.file.path)
            else:
                self._body.unlink()
            self._journal.unlink(missing_ok=True)
        return right

    def _read_journal(self) -> set[int]:
        numbers = {span.number for span in self.part_ranges}
        try:
            lines = self._journal.read_text("ascii").splitlines(keepends=True)
        except (OSError, UnicodeDecodeError):
            return set()
        # A truncated line may look like the number of another part.
        whole = {line[:-1] for line in lines if line.endswith("\n")}
        return {number for number in numbers if str(number) in whole}


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise UserError if the system refuses to write: a full disk, a missing permission."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the file cannot be written: {error.strerror or error}",
            where=str(path),
            hint="make room or choose another place; downloaded parts are kept",
        ) from error
