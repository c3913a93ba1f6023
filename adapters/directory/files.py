"""Files of a store: their keys as paths, staged and atomic writes, their metadata."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from cloudserve.errors import RemoteError
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
        """Return an object's metadata, empty if it has none or the token is of another state."""
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


OWN = ".cloudserve"
SPECIAL = {"": "%", ".": "%2E", "..": "%2E%2E"}
LONGEST = 255
"""Limit of a name in bytes on Linux file systems."""
_ESCAPE = re.compile(r"%(25|2E)")


def path_of(root: Path, key: str) -> Path:
    """Return the path of a key's object; raises RemoteError if no file can have the key.

    A bucket accepts any key, so names that a directory cannot have are escaped: `%` becomes `%25`;
    segments that are not possible in a path are written `%` (empty), `%2E` and `%2E%2E`, and a
    first segment `.cloudserve`, the store's own folder, `%2Ecloudserve`. So each path is one key,
    and the keys of models are unchanged.
    """
    segments = [SPECIAL.get(part, part.replace("%", "%25")) for part in key.split("/")]
    if segments[0] == OWN:
        segments[0] = f"%2E{OWN[1:]}"
    if "\0" in key or any(len(part.encode()) > LONGEST for part in segments):
        raise RemoteError(
            f"{key!a} cannot be the name of a file",
            where=f"file://{root}",
            hint="rename the file: no NUL, and at most 255 bytes in each part of the path",
        )
    return root.joinpath(*segments)


def key_of(root: Path, path: Path) -> str:
    """Return the key of a file below the root."""
    return "/".join(_decode(part) for part in path.relative_to(root).parts)


def _decode(segment: str) -> str:
    if segment == SPECIAL[""]:
        return ""
    return _ESCAPE.sub(lambda match: "%" if match[1] == "25" else ".", segment)
