"""The files of one log: consecutive TFRecord files, bounded in total size.

A file is named by its start: `PREFIX-20261121T142233.123456Z.tfrecord`. Each record is written
immediately, so that a killed process leaves complete records; the next process starts its own file.
Before a file is created the oldest ones are deleted until there is room for it, those of earlier
processes too. For one thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from ..codecs.tfrecord import frame
from .log_options import LogLimits

Now = Callable[[], datetime]

_STAMP = "%Y%m%dT%H%M%S.%fZ"
_END = re.compile(r"-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z\.tfrecord")


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


class LogFiles:
    """Writes records to the current file of a log, and starts another when it is full."""

    def __init__(self, prefix: str, limits: LogLimits, now: Now = utc_now) -> None:
        """Take the prefix of all file names; nothing is opened yet."""
        self._prefix = Path(prefix)
        self._limits = limits
        self._now = now
        self._file: FileIO | None = None
        self._bytes = 0
        self._records = 0

    def write(self, record: bytes) -> None:
        """Append a record. Raises OSError if that fails; no part of the record is left then.

        Raises ValueError for a record that is larger than the limit of a file.
        """
        framed = frame(record)
        if len(framed) > self._limits.one_file:
            raise ValueError(f"a record of {len(framed)} bytes is larger than a file may be")
        file = self._with_room(len(framed))
        try:
            _write_all(file, framed)
        except OSError:
            self._discard_rest(file)
            raise
        self._bytes += len(framed)
        self._records += 1

    def close(self) -> None:
        """Close the current file; a later record starts another."""
        if self._file:
            self._file.close()
        self._file = None

    def _with_room(self, size: int) -> FileIO:
        is_full = (
            self._bytes + size > self._limits.one_file or self._records >= self._limits.file_records
        )
        if self._file and is_full:
            self.close()
        if self._file is None:
            self._file = self._begin()
            self._bytes = self._records = 0
        return self._file

    def _begin(self) -> FileIO:
        self._prefix.parent.mkdir(parents=True, exist_ok=True)
        self._make_room()
        while True:
            stamp = self._now().strftime(_STAMP)
            try:
                return FileIO(f"{self._prefix}-{stamp}.tfrecord", "x")
            except FileExistsError:
                continue  # created by another process in the same microsecond

    def _make_room(self) -> None:
        """Delete the oldest files until a full file more fits into the limit."""
        files = sorted(self._existing())
        sizes = {path: size for path in files if (size := _size(path)) is not None}
        total = sum(sizes.values())
        for path, size in sizes.items():
            if total + self._limits.one_file <= self._limits.total_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _existing(self) -> list[Path]:
        start = self._prefix.name
        return [
            path
            for path in self._prefix.parent.iterdir()
            if path.name.startswith(start) and _END.fullmatch(path.name[len(start) :])
        ]

    def _discard_rest(self, file: FileIO) -> None:
        """Remove the part of a failed record, or the file if the record was the first."""
        if self._records:
            file.truncate(self._bytes)
        else:
            Path(str(file.name)).unlink(missing_ok=True)
        self.close()


def _write_all(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _size(path: Path) -> int | None:
    """Return a file's size; None if another process has just deleted it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
