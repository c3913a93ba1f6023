"""What a local server, the load generator and the machine use during a measurement."""

from __future__ import annotations

import itertools
import time

from cloudserve.bench import process
from cloudserve.bench.result import ServerUse, Usage


class UsageMeter:
    """Samples the processes of a server; without processes it only measures the generator."""

    def __init__(self, roots: frozenset[int]) -> None:
        self._pids = process.tree(roots) if roots and process.is_supported() else frozenset()
        self._samples: list[tuple[float, process.Reading]] = []
        self._begun: float | None = None
        self._own = 0.0
        self._machine: tuple[float, float] | None = None

    @property
    def is_local(self) -> bool:
        """Return whether the server's processes are known."""
        return bool(self._pids)

    def begin(self) -> None:
        """Begin the measurement, after the warm-up."""
        self._begun = time.perf_counter()
        self._own = time.process_time()
        self._machine = process.machine_times()
        self._samples.clear()
        self.sample()

    @property
    def has_begun(self) -> bool:
        """Return whether `begin` was called."""
        return self._begun is not None

    def sample(self) -> None:
        """Read the server's processes."""
        if self._pids:
            self._samples.append((time.perf_counter(), process.read(self._pids)))

    def generator_cpu(self) -> float:
        """Return the cores that this process has used since the beginning."""
        assert self._begun is not None
        return (time.process_time() - self._own) / max(time.perf_counter() - self._begun, 1e-9)

    def idle(self) -> float | None:
        """Return the idle share of all cores since the beginning; None if it is unknown."""
        now = process.machine_times()
        if now is None or self._machine is None or now[1] <= self._machine[1]:
            return None
        return (now[0] - self._machine[0]) / (now[1] - self._machine[1])

    def server(self) -> ServerUse | None:
        """Return what the server used; None for a server elsewhere."""
        self.sample()
        if len(self._samples) < _FEWEST_SAMPLES:
            return None
        (began, first), (ended, last) = self._samples[0], self._samples[-1]
        return ServerUse(
            cpu=(last.cpu - first.cpu) / max(ended - began, 1e-9),
            memory=max(reading.memory for _, reading in self._samples),
            processes=first.processes,
            samples=tuple(self._usages(began)),
        )

    def _usages(self, began: float) -> list[Usage]:
        return [
            Usage(at - began, max(0.0, (now.cpu - last.cpu) / (at - before)), now.memory)
            for (before, last), (at, now) in itertools.pairwise(self._samples)
            if at > before
        ]


_FEWEST_SAMPLES = 2
