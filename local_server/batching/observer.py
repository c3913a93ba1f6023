"""The observer of batching, for metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class BatchObserver(Protocol):
    """Observes requests and batches in the threads that handle them; fast, and never raises."""

    def queued(self, size: int, count: int = 1) -> None:
        """So many requests of `size` rows are about to be queued."""

    def ran(self, pool: str, waits: Iterable[float], size: int, padding: int) -> None:
        """A batch is about to run: waits of its requests in seconds, rows, and padding rows."""

    def ran_in_turn(self, pool: str, requests: int, size: int) -> None:
        """A batch of so many requests and rows is about to run, none of which has waited."""


class Unobserved:
    """Does nothing (a BatchObserver)."""

    def queued(self, size: int, count: int = 1) -> None:
        """Do nothing."""

    def ran(self, pool: str, waits: Iterable[float], size: int, padding: int) -> None:
        """Do nothing."""

    def ran_in_turn(self, pool: str, requests: int, size: int) -> None:
        """Do nothing."""
