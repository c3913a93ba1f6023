"""The progress of an archive, a line for each tenth of its bytes."""

from __future__ import annotations

from cloudserve.storage.contract import Notify
from cloudserve.storage.events import Event, Moved, Retrying, Skipped

PARTS = 10


class Tenths:
    """Reports the events of an upload of so many bytes; the caller reports its end."""

    def __init__(self, size: int, notify: Notify) -> None:
        self._size = max(size, 1)
        self._notify = notify
        self._there = 0
        self._told = 0

    def __call__(self, event: Event) -> None:
        """Tell a tenth that was reached, and an attempt that is made again."""
        match event:
            case Moved(size=size) | Skipped(size=size):
                self._there += size
                reached = self._there * PARTS // self._size
                if self._told < reached < PARTS:
                    self._told = reached
                    self._notify(f"{reached * PARTS} % of {self._size:,} bytes")
            case Retrying(reason=reason, seconds=seconds):
                self._notify(f"{reason}; again in {seconds:.1f} s")
            case _:
                pass
