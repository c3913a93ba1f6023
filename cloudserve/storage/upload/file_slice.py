"""A slice of a file as a request body: can be read again from its start, never held in memory."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from cloudserve.errors import ModelError

BLOCK = 1 << 20
OnRead = Callable[[int], None]
"""Called with the position in the slice after each read; may raise to stop the transfer."""


def _ignore(position: int) -> None:
    """Ignore a position."""


class FileSlice(io.RawIOBase):
    """The bytes `[offset, offset + size)` of a file, as a binary stream.

    As a context manager it raises its own failure (an unreadable file, or an exception of
    `on_read`) instead of the client's: clients take any exception for a lost connection.
    Raises ModelError if the file cannot be opened or read, or became shorter.
    """

    def __init__(
        self, path: Path, offset: int = 0, size: int | None = None, on_read: OnRead = _ignore
    ) -> None:
        super().__init__()
        self._on_read = on_read
        self._position = 0
        self._failure: Exception | None = None
        self.path = path
        self.offset = offset
        self._file = -1  # the finalizer closes an object whose file could not be opened
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise unreadable(path, error) from error
        self.size = os.fstat(self._file).st_size - offset if size is None else size

    def __len__(self) -> int:
        """Return the slice's size, which HTTP clients announce."""
        return self.size

    def __bool__(self) -> bool:
        """Return True even if empty: clients take a falsy body for none."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: the body can be sent again."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, and report the position."""
        rest = self.size - self._position
        count = rest if size is None or size < 0 else min(size, rest)
        try:
            data = self._read_at(self._position, count)
            self._position += len(data)
            self._on_read(self._position)
        except Exception as error:
            self._failure = error
            raise
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with the available bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position in the slice."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = min(max(0, start + offset), self.size)
        return self._position

    def tell(self) -> int:
        """Return the position in the slice."""
        return self._position

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole slice in blocks, without moving or reporting the position."""
        for start in range(0, self.size, BLOCK):
            yield self._read_at(start, min(BLOCK, self.size - start))

    def _read_at(self, position: int, count: int) -> bytes:
        try:
            data = os.pread(self._file, count, self.offset + position) if count > 0 else b""
        except OSError as error:
            raise unreadable(self.path, error) from error
        if count > 0 and not data:
            raise ModelError(
                "the file became shorter while it was read",
                where=str(self.path),
                hint="let the export finish, then try again",
            )
        return data

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        if not self.closed and self._file >= 0:
            os.close(self._file)
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._failure is not None:
            raise self._failure


def md5_of(body: FileSlice) -> str:
    """Return a slice's MD5 in hex: the ETag of a part, for services without a better checksum."""
    md5 = hashlib.md5(usedforsecurity=False)
    for block in body.blocks():
        md5.update(block)
    return md5.hexdigest()


class Blocks:
    """A slice as an iterable body, in blocks of a megabyte.

    HTTP clients send a readable body in blocks of 16 KiB, which costs more than the bytes do.
    """

    def __init__(self, body: FileSlice) -> None:
        self._body = body

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        self._body.seek(0)
        while block := self._body.read(BLOCK):
            yield block

    def seek(self, offset: int) -> int:
        """Move to a position; clients return to the start before they send the body again."""
        return self._body.seek(offset)


def unreadable(path: Path, error: OSError) -> ModelError:
    """Return the error for a file that cannot be read."""
    return ModelError(
        f"the file cannot be read: {error.strerror or error}",
        where=str(path),
        hint="check that it exists and that you may read it",
    )
