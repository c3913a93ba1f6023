"""How quick a signature's requests are: which of them the event loop may answer itself.

To hand a request to a thread and back costs more than the run of a small model does; a heavy one on
the event loop would hold up every other request. What requests really took decides: those no larger
than one that was quick are taken to be quick, until some are not; then many quick ones in threads
bring them back, for the machine may have been busy. Signatures whose time hangs on the values of
their inputs are left out (`runtime.steady`).
"""

from __future__ import annotations

from time import perf_counter, thread_time

_QUICK_CPU_SECONDS = 250e-6
"""The processor time of a request for which the loop is not given up."""
_WAITED_SECONDS = 5e-3
"""The time on the clock past which it waited: for other threads, or for threads of its own."""
_SLOW_SECONDS = 1e-3
"""The time on the clock that it should not take on the loop."""
_MOST_SURPRISES = 3
_CALM = 100
"""How many quick requests in a row make slow ones forgotten."""
_TOO_LONG_SECONDS = 50e-3
"""The time on the clock that it must not take on the loop, not even once."""


class Stopwatch:
    """The time that a thread has spent since it was made, in seconds."""

    __slots__ = ("_cpu", "_wall")

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), thread_time()

    def read(self) -> tuple[float, float]:
        """Return the processor time of the calling thread, and the time on the clock."""
        return thread_time() - self._cpu, perf_counter() - self._wall


class Pace:
    """The pace of a version's signature; sizes are bytes of requests, times are seconds."""

    __slots__ = ("_calm", "_largest", "_surprises")

    def __init__(self) -> None:
        self._largest = -1
        self._surprises = 0
        self._calm = 0

    def is_quick(self, size: int) -> bool:
        """Say whether a request of this size is taken to be quick."""
        return size <= self._largest and self._surprises < _MOST_SURPRISES

    def learn(self, size: int, cpu: float, wall: float) -> None:
        """Take what a request took in a thread. Any thread may call it."""
        if cpu > _QUICK_CPU_SECONDS:
            self._calm = 0
            return
        if wall > _WAITED_SECONDS:
            return
        self._largest = max(self._largest, size)
        self._calm += 1
        if self._calm >= _CALM:
            self._calm = self._surprises = 0

    def check(self, seconds: float) -> None:
        """Take what a request took on the event loop: one far too long ends it, or several slow.

        On the clock alone, which is read in 50 ns; a thread's processor time takes a system call.
        """
        if seconds > _TOO_LONG_SECONDS:
            self._surprises, self._calm = _MOST_SURPRISES, 0
        elif seconds > _SLOW_SECONDS:
            self._surprises, self._calm = self._surprises + 1, 0
        elif self._surprises < _MOST_SURPRISES:
            self._surprises = 0


class Paces:
    """The paces of all that was ever asked, by model, version and signature."""

    def __init__(self) -> None:
        self._paces: dict[tuple[str, int | None, str], Pace] = {}

    def of(self, name: str, version: int | None, signature: str) -> Pace:
        """Return the pace of a signature, which begins by knowing nothing.

        To be asked of those that exist alone: it is kept.
        """
        return self._paces.setdefault((name, version, signature), Pace())
