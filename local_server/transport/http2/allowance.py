"""A rate limit for frames that cost the server time without doing work: a token bucket."""

from __future__ import annotations

from .limits import Rate
from .wire.errors import ConnectionFault, ErrorCode


class Allowance:
    """Counts events against a rate; the caller provides the time, in seconds."""

    __slots__ = ("_filled", "_left", "_rate", "_what")

    def __init__(self, what: str, rate: Rate, now: float) -> None:
        self._what = what
        self._rate = rate
        self._left = float(rate.burst)
        self._filled = now

    def spend(self, now: float) -> None:
        """Count one event. Raises ConnectionFault (ENHANCE_YOUR_CALM) if there are too many."""
        self._left += (now - self._filled) * self._rate.per_second
        self._left = min(self._left, float(self._rate.burst)) - 1.0
        self._filled = now
        if self._left < 0:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too many {self._what}")
