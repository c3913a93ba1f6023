"""Reproducible `model.tar.gz` archives, for platforms that cannot load a prefix.

The bytes depend only on the members' names and contents: times, owners and modes are fixed, and the
caller sorts the names. The gzip stream is uncompressed (level 0), because weights shrink by 7 % at
33 MB/s and a compressor's output depends on the version of zlib.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from io import BufferedReader, RawIOBase
from typing import Protocol

from cloudserve.storage.upload.file_slice import BLOCK

ARCHIVE = "cloudserve-archive-1"
"""Format of the archives; counts up whenever equal files would yield other bytes."""
DIGEST = "cloudserve-bundle"
"""Key of the user metadata that identifies an archive's content."""
CODE = "code"
MODE = 0o644
Member = tuple[str, int, Callable[[], AbstractContextManager[RawIOBase | BufferedReader]]]
"""A file of an archive: name, size, and a function that opens it."""


class Output(Protocol):
    """A writable binary stream."""

    def write(self, data: bytes, /) -> int:
        """Write bytes and return their number."""
        ...

    def flush(self) -> None:
        """Flush buffered bytes."""
        ...


def pack_members(members: Iterable[Member], out: Output) -> None:
    """Write an archive of the members, sorted by name, to a stream.

    Raises whatever a member's body raises, and OSError for a body shorter than its size.
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
