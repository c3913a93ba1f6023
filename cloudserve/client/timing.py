"""A summary of repeated requests."""

from __future__ import annotations

from collections.abc import Sequence

from cloudserve.plural import counted

_PERCENTILES = (50, 90, 99)


def percentile(seconds: Sequence[float], percent: float) -> float:
    """Return the smallest time that `percent` of the requests did not exceed."""
    ordered = sorted(seconds)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def summary(seconds: Sequence[float]) -> str:
    """Return `100 requests: p50 1.20 ms, p90 1.55 ms, p99 2.02 ms, max 3.10 ms`."""
    parts = [f"p{percent} {_ms(percentile(seconds, percent))}" for percent in _PERCENTILES]
    return f"{counted(len(seconds), 'request')}: {', '.join(parts)}, max {_ms(max(seconds))}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
