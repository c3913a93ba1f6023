"""`model.tar.gz`: a SavedModel as `NAME/VERSION/…`, and its `code/`, in one reproducible file.

For platforms that take no prefix. The bytes depend on the files' names and contents alone: names
sorted, times, owners and modes fixed. The gzip holds the bytes as they are (level 0): weights save
7 % at 33 MB/s, and a compressor's output differs from one zlib to the next.

What is packed: regular files, links followed inside the tree (`read_tree` refuses others). What is
unpacked: regular files and directories below the destination, and nothing else.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Protocol

from cloudserve.errors import ConflictError
from cloudserve.savedmodel import Tree, read_tree
from cloudserve.storage.contract import PartStore
from cloudserve.storage.download.partial_file import local_path, writing
from cloudserve.storage.download.tree import staged
from cloudserve.storage.events import Observe, ignore
from cloudserve.storage.upload.file_slice import BLOCK, Window
from cloudserve.storage.upload.stream import send_stream

ARCHIVE = "cloudserve-archive-1"
"""Counts up when the same files would become other bytes."""
DIGEST = "cloudserve-bundle"
"""The user metadata that says which bundle an archive is of."""
CODE = "code"
MODE = 0o644
LARGEST = 1 << 40
"""Bytes that an archive may unpack to, unless the caller says otherwise."""
Member = tuple[str, int, Callable[[], AbstractContextManager[RawIOBase | BufferedReader]]]
"""A file of an archive: its name, its size, and what opens it."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What goes into an archive: the SavedModel under `NAME/VERSION/`, and perhaps `code/`."""

    name: str
    number: int
    model: Path
    code: Path | None = None

    @property
    def digest(self) -> str:
        """Return what the archive's bytes depend on, as a SHA-256 in hex."""
        text = "".join(f"{prefix}\0{tree.digest}\n" for prefix, _, tree in self._trees())
        return hashlib.sha256(f"{ARCHIVE}\n{text}".encode()).hexdigest()

    def members(self) -> Iterator[tuple[str, Path, int]]:
        """Yield the files in their order in the archive: name, place, size."""
        for prefix, root, tree in sorted(self._trees(), key=lambda each: each[0]):
            for file in tree.files:
                yield f"{prefix}/{file.path}", root / file.path, file.size

    def _trees(self) -> Iterator[tuple[str, Path, Tree]]:
        yield f"{self.name}/{self.number}", self.model, read_tree(self.model)
        if self.code is not None:
            yield CODE, self.code, read_tree(self.code)


class Output(Protocol):
    """What an archive is written to."""

    def write(self, data: bytes, /) -> int:
        """Take bytes."""
        ...

    def flush(self) -> None:
        """Pass on what was taken."""
        ...


def pack(bundle: Bundle, out: Output) -> None:
    """Write a bundle's archive to a stream, a block at a time.

    Raises ModelError when a file cannot be read or changes its size meanwhile.
    """
    pack_members(
        ((name, size, partial(Window, path, 0, size)) for name, path, size in bundle.members()), out
    )


def pack_members(members: Iterable[Member], out: Output) -> None:
    """Write an archive of members, in the order of their names, to a stream.

    Raises what a member's body raises, and OSError for one that ends before its size.
    """
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=0, fileobj=out, mtime=0) as zipped,
        tarfile.open(mode="w|", fileobj=zipped, format=tarfile.PAX_FORMAT, bufsize=BLOCK) as tar,
    ):
        for name, size, opened in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = size, MODE
            with opened() as body:
                tar.addfile(info, body)


def send_archive(store: PartStore, key: str, bundle: Bundle, observe: Observe = ignore) -> None:
    """Pack a bundle into an object, part after part, without a whole archive on this disk.

    An interrupted one goes on by parts, because the bytes are the same again. The object says
    which bundle it is, and is not sent again. Raises ModelError, RemoteError.
    """
    metadata = {DIGEST: bundle.digest}
    head = store.head(key)
    if head is None or head.metadata.get(DIGEST) != bundle.digest:
        send_stream(store, key, metadata, partial(pack, bundle), observe)


def unpack(archive: IO[bytes], into: Path, *, largest: int = LARGEST) -> None:
    """Make a directory of an archive, whole or not at all.

    Raises ConflictError for what is no archive, for members that are links or devices or would lie
    elsewhere, for two of one name, and for more than `largest` bytes; UserError when the disk
    refuses.
    """
    with staged(into, f"archive-{os.getpid()}") as staging:
        _clear(staging)
        try:
            with tarfile.open(mode="r|*", fileobj=archive, bufsize=BLOCK) as tar:
                _unpack_all(tar, staging, largest)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise ConflictError(f"the archive cannot be read: {error}", where=str(into)) from error


def _unpack_all(tar: tarfile.TarFile, staging: Path, largest: int) -> None:
    left = largest
    for member in tar:
        name = member.name.removeprefix("./").rstrip("/")
        if member.isdir() and name in {"", "."}:
            continue
        path = local_path(staging, name)
        if member.isdir():
            _make(path)
            continue
        if not member.isreg():
            raise ConflictError(f"{member.name!a} in the archive is neither a file nor a directory")
        left -= member.size
        if left < 0:
            raise ConflictError(f"the archive unpacks to more than {largest:,} bytes")
        if path.exists() or path.is_symlink():
            raise ConflictError(f"{member.name!a} is twice in the archive")
        source = tar.extractfile(member)
        assert source is not None, "a regular member has bytes"
        _write(path, source)


def _clear(folder: Path) -> None:
    with writing(folder):
        for child in folder.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()


def _make(folder: Path) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _write(path: Path, source: IO[bytes]) -> None:
    _make(path.parent)
    with writing(path):
        file = path.open("xb")
    with file:
        while block := source.read(BLOCK):
            with writing(path):
                file.write(block)
