"""Files that are written to a staging folder, flushed to disk, and renamed; their metadata."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from cloudserve.files import replace_atomically, sync_directory

FOR_ALL = 0o644
"""Another user's model server must be able to read the file."""


@dataclass(frozen=True, slots=True)
class StagingFile:
    """A file that is being written."""

    file: BinaryIO
    path: Path

    def place(self, target: Path) -> None:
        """Rename it to its final path, replacing any other file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(target)
        sync_directory(target.parent)

    def finish(self) -> None:
        """Flush its bytes to disk."""
        os.fchmod(self.file.fileno(), FOR_ALL)
        self.file.flush()
        os.fsync(self.file.fileno())


@contextmanager
def staging_file(folder: Path) -> Iterator[StagingFile]:
    """Yield a new file in a folder; it is removed at the end unless it was placed."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield StagingFile(file, Path(name))
    finally:
        Path(name).unlink(missing_ok=True)


def status_of(path: Path) -> os.stat_result | None:
    """Return a file's status; None if there is no file."""
    try:
        return None if path.is_dir() else path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def token_of(status: os.stat_result) -> str:
    """Return a token that distinguishes a file from every other of the same name."""
    return f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"


class _Entry(msgspec.Struct, frozen=True):
    token: str
    metadata: dict[str, str]


class Metadata:
    """The metadata below one folder, by key, valid only for the object with the same token.

    The writer must hold the store's lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str, token: str) -> dict[str, str]:
        """Return an object's metadata; {} if there is none for this token."""
        try:
            entry = msgspec.json.decode(self._path(key).read_bytes(), type=_Entry)
        except (FileNotFoundError, msgspec.DecodeError):
            return {}
        return entry.metadata if entry.token == token else {}

    def write(self, key: str, token: str, metadata: Mapping[str, str]) -> None:
        """Store an object's metadata, replacing that of its key."""
        path = self._path(key)
        if not metadata:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_atomically(path, msgspec.json.encode(_Entry(token, dict(metadata))))

    def forget(self, key: str) -> None:
        """Delete a key's metadata."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.json"
