"""A golden file that grows while a server runs.

Each example is one write at the end of the file, so that a killed process leaves whole lines, and
perhaps a last one without its end, which readers ignore and the next process removes. The file is
locked: two servers that count examples in it would each write as many. A file that was moved or
deleted, as by a rotation of logs, is created again. Not thread-safe.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.files import try_lock
from cloudserve.golden.file import (
    SCHEMA,
    Example,
    Header,
    complete_part,
    example_line,
    header_line,
    read_golden,
    read_header,
)

MOST_BYTES = 256 * 2**20
"""The size past which nothing more is written to a file: readers hold all of it in memory."""
Kind = tuple[int | None, str]
"""The version and the signature of an example."""
_NEW = 0o600


class FullError(Exception):
    """The file has reached its largest size."""


class GoldenFile:
    """The file of one model's examples."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._size = 0
        self._lacks_end = False
        self.model = ""
        """The model of the examples; "" if there are none yet."""
        self.counts: Counter[Kind] = Counter()
        """The number of examples of each version and signature."""

    def open(self) -> None:
        """Open the golden file, or create it, readable by its owner alone.

        Raises UserError for a file that is not a golden file or that another server writes, OSError
        if it cannot be opened.
        """
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(self._path.stat().st_mode):
                raise self._refuse("it is not a regular file")
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _NEW)
        try:
            self._lock(file)
            self._size = self._read()
            os.ftruncate(file, self._size)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _lock(self, file: int) -> None:
        if not try_lock(file):
            raise self._refuse("another server records to it")

    def _read(self) -> int:
        """Read the examples of an earlier process; return the size of their whole lines."""
        data = self._path.read_bytes()
        whole = complete_part(data)
        self.counts.clear()
        self.model = ""
        if not whole:
            if data and not data.startswith(b'{"golden":%d' % SCHEMA):
                raise self._refuse("it is not a golden file")
            return 0
        header = read_header(whole.partition(b"\n")[0], self._path)
        self.model = header.model
        if whole.count(b"\n") > 1:
            self.counts.update(map(_kind, read_golden(self._path).examples))
        self._lacks_end = not whole.endswith(b"\n")
        return len(whole)

    def append(self, example: Example, model: str) -> None:
        """Write an example of a model. Raises OSError if that fails; no part of it is left then.

        Raises FullError past the largest size, UserError as `open`.
        """
        if self._is_elsewhere():
            self.close()
            self.open()
        line = example_line(example) + b"\n"
        if not self._size:
            header = Header(model=model, source="a server", recorded=datetime.now(UTC))
            line = header_line(header) + b"\n" + line
        elif self._lacks_end:
            line = b"\n" + line
        if self._size + len(line) > MOST_BYTES:
            raise FullError(f"{self._path} has {self._size:,} bytes, and {MOST_BYTES:,} at most")
        self._write(line)
        self.model = model
        self.counts[_kind(example)] += 1

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)
        self._lacks_end = False

    def _is_elsewhere(self) -> bool:
        if self._file < 0:
            return True
        try:
            current = self._path.stat()
        except FileNotFoundError:
            return True
        own = os.fstat(self._file)
        return (current.st_dev, current.st_ino) != (own.st_dev, own.st_ino)

    def close(self) -> None:
        """Close the file, which releases its lock; one without an example is removed."""
        if self._file < 0:
            return
        if not self._size and not self._is_elsewhere():
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = -1

    def _refuse(self, why: str) -> UserError:
        return UserError(
            f"requests cannot be recorded: {why}",
            where=str(self._path),
            hint="name a new file, or a golden file that was recorded before",
        )


def _kind(example: Example) -> Kind:
    return example.version, str(example.request.get("signature_name", "serving_default"))
