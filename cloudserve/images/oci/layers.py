"""Files as layers: the same files give the same bytes.

Order, times, owners and modes are fixed. Source: OCI image specification 1.1, layer.md
("Distributable Format", "File Attributes"): no path occurs twice in a layer.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from cloudserve.images.oci.manifest import LAYER, Descriptor

_LEVEL = 3
_BLOCK = 1 << 20


class Source(Protocol):
    """The content of a file: its size, and a function that opens it."""

    @property
    def size(self) -> int:
        """Return the number of bytes."""

    def open(self) -> IO[bytes]:
        """Open the content; the caller closes it."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file on disk."""

    path: Path

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return self.path.stat().st_size

    def open(self) -> IO[bytes]:
        """Open the file."""
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a layer, or a directory if it has no source; `path` has no leading slash."""

    path: str
    source: Source | None
    executable: bool = False
    owner: int = 0
    """The user and the group, by number."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A compressed layer on disk."""

    path: Path
    descriptor: Descriptor
    diff_id: str
    """The digest of the uncompressed archive (config.md, "Layer DiffID")."""
    created_by: str


class _Writer(Protocol):
    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> object: ...


class _Hashing:
    """A file that also computes the digest and the size of what is written."""

    def __init__(self, file: _Writer) -> None:
        self._file, self._digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self.size

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


def write_layer(entries: Iterable[Entry], path: Path, created_by: str) -> Layer:
    """Write files as a gzip-compressed layer; a later entry replaces an earlier one."""
    unique = {entry.path: entry for entry in entries}
    with path.open("wb") as file:
        outer = _Hashing(file)
        with gzip.GzipFile("", "wb", _LEVEL, outer, mtime=0) as zipped:
            inner = _Hashing(zipped)
            writer = cast("IO[bytes]", inner)  # tarfile only writes and asks for the position
            with tarfile.TarFile(fileobj=writer, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for name in sorted(unique):
                    _add(archive, unique[name])
    return Layer(path, Descriptor(LAYER, outer.digest, outer.size), inner.digest, created_by)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.uid = info.gid = entry.owner
    if entry.source is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
        return
    info.mode, info.size = (0o755 if entry.executable else 0o644), entry.source.size
    with entry.source.open() as file:
        archive.addfile(info, file)


def tree(folder: Path, into: str) -> list[Entry]:
    """Return the files of a directory, links followed, as entries below `into`."""
    entries = [Entry(into, None)]
    for path in sorted(folder.rglob("*")):
        inner = f"{into}/{path.relative_to(folder).as_posix()}"
        entries.append(Entry(inner, None if path.is_dir() else OnDisk(path)))
    return entries
