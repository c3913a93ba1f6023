"""Defects of short cuts, which the general path conceals: it answers the requests, only later.

An error of a request (`StatusError`) is none: the general path reports it. Anything else is a
mistake in this program, and would make a server slow without a sign.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Final

from .status import StatusError

logger = logging.getLogger(__name__)


class Defects:
    """Counts defects by their place and type; the first of each is logged. Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def report(self, place: str, error: Exception) -> None:
        """Count an error of a short cut, unless it is a request's own."""
        if isinstance(error, StatusError):
            return
        kind = place, type(error).__name__
        with self._lock:
            self._counts[kind] += 1
            is_first = self._counts[kind] == 1
        if is_first:
            text = "a defect in %s, which is logged once: the general, slower path takes over"
            logger.warning(text, place, exc_info=error)

    def counts(self) -> Iterator[tuple[tuple[str, str], int]]:
        """Yield each place and type of error, and how often it occurred."""
        with self._lock:
            counts = tuple(self._counts.items())
        yield from counts


DEFECTS: Final = Defects()
"""Those of this process, which its metrics show."""
