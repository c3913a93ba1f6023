"""A log of recurring problems: each is logged once, and again after a round without it."""

from __future__ import annotations

import logging
from collections.abc import Iterable


class Rounds:
    """Logs the lines that the previous round did not have. For one thread at a time."""

    def __init__(self, logger: logging.Logger, level: int = logging.WARNING) -> None:
        self._logger = logger
        self._level = level
        self._previous: frozenset[str] = frozenset()

    def log(self, lines: Iterable[str]) -> None:
        """Log the new lines of a round; `lines` are all of them."""
        previous, self._previous = self._previous, frozenset(lines)
        for line in sorted(self._previous - previous):
            self._logger.log(self._level, "%s", line)
