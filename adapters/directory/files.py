"""Files that are written to a staging folder, flushed to disk, and renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cloudserve.files import sync_directory

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
