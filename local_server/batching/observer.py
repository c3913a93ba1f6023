"""What batching tells of itself, to metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class BatchObserver(Protocol):
    """Told of requests and batches, by the threads that handle them; quick, and never raises."""

    def queued(self, size: int) -> None:
        """A request of so many rows is to be queued."""

    def ran(self, pool: str, waits: Iterable[float], size: int, padding: int) -> None:
        """A batch goes to the model: its requests' waits in seconds, its rows, and those added."""


class Unobserved:
    """Takes no notice (a BatchObserver)."""

    def queued(self, size: int) -> None:
        """Do nothing."""

    def ran(self, pool: str, waits: Iterable[float], size: int, padding: int) -> None:
        """Do nothing."""
