"""The shared state of a transfer's threads, and the division of files into parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cloudserve.storage import pool
from cloudserve.storage.events import Meter, Reporter, Retrying
from cloudserve.storage.retry import Retry, StoppedError
from cloudserve.storage.upload.file_slice import FileSlice

Result = TypeVar("Result")
PART = 16 << 20
MAX_PARTS = 10_000
"""The limit of S3 and of Google Cloud Storage."""


@dataclass(frozen=True, slots=True)
class PartRange:
    """The position of a part in its file; numbers start at 1."""

    number: int
    offset: int
    size: int


def part_ranges(size: int, part: int = PART) -> tuple[PartRange, ...]:
    """Divide a file into parts of `part` bytes, or larger ones if 10,000 are not enough."""
    part = max(part, -(-size // MAX_PARTS))
    starts = range(0, size, part)
    return tuple(PartRange(i, at, min(part, size - at)) for i, at in enumerate(starts, start=1))


@dataclass(frozen=True, slots=True)
class Transfer:
    """One upload or download; files have the names that are shown to people."""

    reporter: Reporter
    retry: Retry = field(default_factory=Retry)
    part: int = PART
    """Size of a part in bytes, if 10,000 are enough."""
    workers: int = pool.WORKERS
    _meters: dict[tuple[str, int], Meter] = field(default_factory=dict)

    def run(self, tasks: Iterable[pool.Task]) -> None:
        """Run tasks and those that follow; raises the first error once all have ended."""
        pool.run(tasks, self.retry.stop, self.workers)

    def attempt(self, name: str, call: Callable[[], Result]) -> Result:
        """Call, with retries of transient errors; raises RemoteError, StoppedError."""
        return self.retry.run(
            call, lambda error, pause: self.reporter.event(Retrying(name, error.message, pause))
        )

    def meter(self, name: str, span: PartRange) -> Meter:
        """Return the meter of a part; a repeated part keeps its meter."""
        return self._meters.setdefault((name, span.number), Meter(name, span.size, self.reporter))

    def open_slice(self, path: Path, span: PartRange, meter: Meter | None = None) -> FileSlice:
        """Open a part for sending; reading it reports progress, and raises StoppedError."""

        def on_read(position: int) -> None:
            self.raise_if_stopped()
            if meter is not None:
                meter(position)

        return FileSlice(path, span.offset, span.size, on_read)

    def raise_if_stopped(self) -> None:
        """Raise StoppedError if another part of the transfer has failed."""
        if self.retry.stop.is_set():
            raise StoppedError
