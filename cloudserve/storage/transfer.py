"""What the threads of one transfer share: who is told, when to give up, how far each part is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cloudserve.storage import pool
from cloudserve.storage.events import Meter, Observe, Retrying
from cloudserve.storage.part_ranges import PART, Span
from cloudserve.storage.retry import Retry, StoppedError
from cloudserve.storage.upload.file_slice import Window

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer, up or down; files are known by the names that people are told."""

    observe: Observe
    retry: Retry = field(default_factory=Retry)
    part: int = PART
    """Bytes of a part, as long as 10,000 of them are enough."""
    workers: int = pool.WORKERS
    _meters: dict[tuple[str, int], Meter] = field(default_factory=dict)

    def run(self, tasks: Iterable[pool.Task]) -> None:
        """Run tasks and what comes of them; raises the first error, when all have ended."""
        pool.run(tasks, self.retry.stop, self.workers)

    def attempt(self, name: str, call: Callable[[], Result]) -> Result:
        """Call, and again when it fails in passing; raises RemoteError, StoppedError."""
        return self.retry.run(
            call, lambda error, pause: self.observe(Retrying(name, error.message, pause))
        )

    def meter(self, name: str, span: Span) -> Meter:
        """Return the meter of a part: the same one when the file is begun anew."""
        return self._meters.setdefault((name, span.number), Meter(name, span.size, self.observe))

    def window(self, path: Path, span: Span, meter: Meter | None = None) -> Window:
        """Open a part to be sent; reading it tells the meter, and raises StoppedError."""

        def on_read(position: int) -> None:
            self.check_going_on()
            if meter is not None:
                meter(position)

        return Window(path, span.offset, span.size, on_read)

    def check_going_on(self) -> None:
        """Raise StoppedError when another part of the transfer has failed."""
        if self.retry.stop.is_set():
            raise StoppedError
