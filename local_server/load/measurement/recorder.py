"""What happened to the measured requests: latencies, failures, the course over time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cloudserve.bench.histogram import Histogram
from cloudserve.bench.result import Interval, milliseconds
from cloudserve.bench.settings import Load

from .pace import SECOND, Phases

_INTERVALS = 60
_SHORTEST_SECONDS = 0.25


@dataclass(slots=True)
class _Part:
    latencies: Histogram = field(default_factory=Histogram)
    failed: int = 0


class Recorder:
    """Counts the requests whose intended time is in the measurement."""

    def __init__(self, load: Load, phases: Phases) -> None:
        self._phases = phases
        self._width = max(_SHORTEST_SECONDS, load.seconds / _INTERVALS if not load.requests else 1)
        self._width_ns = int(self._width * SECOND)
        self._parts: dict[int, _Part] = {}
        self._late = Histogram()
        """Latencies of answers after the end."""
        self.failures: Counter[str] = Counter()
        self.lags = Histogram()
        """Open loop: delays of requests that a slot was free for."""
        self.waited = 0
        """Open loop: requests that were due before a slot was free."""
        self.last_answer = phases.begin

    def record(self, intended: int, now: int, failure: str | None) -> None:
        """Count the end of a request."""
        if intended < self._phases.begin:
            return
        self.last_answer = now
        is_late = now >= self._phases.end
        part = None if is_late else self._part((now - self._phases.begin) // self._width_ns)
        if failure is not None:
            self.failures[failure] += 1
            if part:
                part.failed += 1
        else:
            (part.latencies if part else self._late).record(now - intended)

    def sent(self, intended: int, now: int, *, waited: bool) -> None:
        """Count the sending of an open loop's request."""
        if intended < self._phases.begin:
            return
        if waited:
            self.waited += 1
        else:
            self.lags.record(now - intended)

    def _part(self, index: int) -> _Part:
        part = self._parts.get(index)
        if part is None:
            part = self._parts[index] = _Part()
        return part

    @property
    def answered_in_time(self) -> int:
        """Return how many requests succeeded before the end of the measurement."""
        return sum(part.latencies.count for part in self._parts.values())

    def latencies(self) -> Histogram:
        """Return the latencies of all successful requests."""
        merged = Histogram()
        for part in self._parts.values():
            merged.merge(part.latencies)
        merged.merge(self._late)
        return merged

    def intervals(self, seconds: float) -> tuple[Interval, ...]:
        """Return the course of a measurement that took so many seconds."""
        count = int(-(-seconds // self._width))
        return tuple(self._interval(index, seconds) for index in range(count))

    def _interval(self, index: int, seconds: float) -> Interval:
        part = self._parts.get(index, _Part())
        end = min((index + 1) * self._width, seconds)
        width = end - index * self._width
        return Interval(
            at=end,
            throughput=part.latencies.count / width if width > 0 else 0.0,
            failed=part.failed,
            p50=milliseconds(part.latencies, 0.5),
            p99=milliseconds(part.latencies, 0.99),
        )
