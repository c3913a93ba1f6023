"""What is found wrong at every look is logged once, and again after a look that did not find it."""

from __future__ import annotations

import logging
from collections.abc import Iterable


class Rounds:
    """Logs the lines of a round that the round before did not have. For one thread at a time."""

    def __init__(self, logger: logging.Logger, level: int = logging.WARNING) -> None:
        self._logger = logger
        self._level = level
        self._before: frozenset[str] = frozenset()

    def tell(self, lines: Iterable[str]) -> None:
        """Take all lines of a round and log the new ones."""
        before, self._before = self._before, frozenset(lines)
        for line in sorted(self._before - before):
            self._logger.log(self._level, "%s", line)
