"""When requests are to be sent: as soon as a slot is free, or at a rate.

An open loop's times do not depend on the answers. A request that finds no free slot keeps its time,
from which its latency counts: this is how coordinated omission is avoided (Gil Tene, wrk2).
Times are nanoseconds of `time.perf_counter_ns`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from cloudserve.bench.settings import Arrivals, Load

SECOND = 1_000_000_000
_FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Phases:
    """Start of the warm-up, begin and end of the measurement."""

    start: int
    begin: int
    end: int
    """Far in the future if requests are counted."""


def phases_of(load: Load, start: int) -> Phases:
    """Return the phases of a load that starts at a time."""
    begin = start + int(load.warm_up * SECOND)
    end = _FOREVER if load.requests else begin + int(load.seconds * SECOND)
    return Phases(start, begin, end)


class Pace(Protocol):
    """The intended times of requests."""

    next_due: int | None
    """The time of the next request; None if it is sent when a slot is free."""

    def take(self, now: int) -> int | None:
        """Return the intended time of a request to send now, None if there is none."""
        ...

    def is_over(self, now: int) -> bool:
        """Return whether no further request will be sent."""
        ...

    def unsent(self, now: int) -> int:
        """Return how many measured requests were due, and were not sent."""
        ...


class ClosedPace:
    """A request whenever a slot is free."""

    def __init__(self, load: Load, phases: Phases) -> None:
        self.next_due: int | None = None
        self._phases = phases
        self._left = load.requests or _FOREVER

    def take(self, now: int) -> int | None:
        """Return the current time until the end; see Pace."""
        if self.is_over(now):
            return None
        if now >= self._phases.begin:
            self._left -= 1
        return now

    def is_over(self, now: int) -> bool:
        """Return whether the time is over, or all requests were sent; see Pace."""
        return now >= self._phases.end or self._left == 0

    def unsent(self, now: int) -> int:
        """Return 0: no request is due before a slot is free; see Pace."""
        del now
        return 0


class OpenPace:
    """Requests at a rate, at constant or exponentially distributed distances."""

    def __init__(self, load: Load, phases: Phases) -> None:
        assert load.rate is not None
        self._mean = SECOND / load.rate
        self._chance = random.Random(0) if load.arrivals is Arrivals.POISSON else None  # noqa: S311 - arrival times, not secrets
        self._phases = phases
        self._left = load.requests or _FOREVER
        self._due = float(phases.start)
        self._patience = int(load.timeout * SECOND)
        self.next_due: int | None = phases.start

    def take(self, now: int) -> int | None:
        """Return the next intended time if it has come; see Pace."""
        begin = self._phases.begin
        if self._due < begin <= now:
            # Requests left over from a warm-up would delay the measurement's.
            self._due, self.next_due = float(begin), begin
        due = self.next_due
        if due is None or due > now or self.is_over(now):
            return None
        if due >= begin:
            self._left -= 1
        distance = self._chance.expovariate(1 / self._mean) if self._chance else self._mean
        self._due += distance
        self.next_due = int(self._due)
        return due

    def is_over(self, now: int) -> bool:
        """Return whether all requests were sent, or the rest is too late; see Pace."""
        assert self.next_due is not None
        last = self._phases.end
        return self.next_due >= last or self._left == 0 or now >= last + self._patience

    def unsent(self, now: int) -> int:
        """Count the requests that are due and measured; see Pace."""
        last = min(self._phases.end, now)
        due = max(self._due, float(self._phases.begin))
        return min(self._left, max(0, int((last - due) / self._mean)))


def pace_of(load: Load, phases: Phases) -> Pace:
    """Return the pace of a load."""
    return OpenPace(load, phases) if load.is_open else ClosedPace(load, phases)
