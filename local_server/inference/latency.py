"""Latency estimates of signatures: which requests the event loop may run itself.

A hand-over to a thread and back costs more than the run of a small model; a heavy request on the
event loop would delay every other one. Measured times decide: requests no larger than one that was
fast are expected to be fast, until several are not. Many fast ones in threads then enable the loop
again, for the machine may have been busy. Signatures whose run time depends on the values of their
inputs are excluded (`runtime.loading.steady`).
"""

from __future__ import annotations

from time import perf_counter, thread_time

_QUICK_CPU_SECONDS = 500e-6
"""The CPU time up to which a request may run on the loop."""
_WAITED_SECONDS = 5e-3
"""The wall-clock time past which a request waited, for other threads or for its own."""
_SLOW_SECONDS = 1e-3
"""The wall-clock time that a request should not exceed on the loop."""
_MOST_SURPRISES = 3
_CALM = 100
"""How many fast requests in a row reset the count of slow ones."""
_TOO_LONG_SECONDS = 50e-3
"""The wall-clock time that a request must not exceed on the loop even once."""


class Stopwatch:
    """The time that a thread has spent since the stopwatch's creation, in seconds."""

    __slots__ = ("_cpu", "_wall")

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), thread_time()

    def read(self) -> tuple[float, float]:
        """Return the calling thread's CPU time and the wall-clock time."""
        return thread_time() - self._cpu, perf_counter() - self._wall


class LatencyEstimate:
    """A signature's latency; sizes are bytes of requests, times are seconds."""

    __slots__ = ("_calm", "_largest", "_surprises")

    def __init__(self) -> None:
        self._largest = -1
        self._surprises = 0
        self._calm = 0

    def is_quick(self, size: int) -> bool:
        """Return whether a request of this size is expected to be fast."""
        return size <= self._largest and self._surprises < _MOST_SURPRISES

    def record_threaded(self, size: int, cpu: float, wall: float) -> None:
        """Record the times of a request that ran in a thread. Any thread may call it."""
        if cpu > _QUICK_CPU_SECONDS:
            self._calm = 0
            return
        if wall > _WAITED_SECONDS:
            return
        self._largest = max(self._largest, size)
        self._calm += 1
        if self._calm >= _CALM:
            self._calm = self._surprises = 0

    def record_on_loop(self, seconds: float) -> None:
        """Record a request on the event loop: one very slow or several slow ones disable it.

        Only wall-clock time counts, which is read in 50 ns; CPU time takes a system call.
        """
        if seconds > _TOO_LONG_SECONDS:
            self._surprises, self._calm = _MOST_SURPRISES, 0
        elif seconds > _SLOW_SECONDS:
            self._surprises, self._calm = self._surprises + 1, 0
        elif self._surprises < _MOST_SURPRISES:
            self._surprises = 0


class LatencyEstimates:
    """The latency estimates of requested signatures, by model, version, signature and encoding."""

    def __init__(self) -> None:
        self._latencies: dict[tuple[str, int, str, str], LatencyEstimate] = {}

    def of(self, name: str, version: int, signature: str, encoding: str) -> LatencyEstimate:
        """Return the estimate of a signature; a new one has no data.

        Only for signatures that exist, because the estimate is kept.
        """
        key = name, version, signature, encoding
        estimate = self._latencies.get(key)
        return estimate or self._latencies.setdefault(key, LatencyEstimate())
