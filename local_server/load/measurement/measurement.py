"""One measurement: the engine, what it recorded, and the Result made of that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cloudserve.bench.child import ChildServer
from cloudserve.bench.result import (
    GeneratorUse,
    Result,
    latency_of,
    milliseconds,
    spectrum_of,
)
from cloudserve.bench.settings import Load
from cloudserve.bench.target import Target
from cloudserve.bench.text import generator_notes, machine_notes, rate_notes, sample_notes

from .engine import Engine
from .pace import SECOND, pace_of, phases_of
from .recorder import Recorder
from .slots import Wire
from .usage import UsageMeter

_NOT_SENT = "not sent in time"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured."""

    target: Target
    signature: str
    payload_bytes: int
    processes: frozenset[int]
    """The server's, if it is on this machine."""


class Measurement:
    """Runs a load once."""

    def __init__(self, load: Load, subject: Subject, child: ChildServer | None = None) -> None:
        self._load = load
        self._subject = subject
        self._child = child
        self._meter = UsageMeter(subject.processes)
        self._phases = phases_of(load, time.perf_counter_ns())
        self._recorder = Recorder(load, self._phases)
        self._engine: Engine | None = None
        self._interrupted = False

    def interrupt(self) -> None:
        """End the measurement; the result is what was measured so far."""
        self._interrupted = True
        if self._engine:
            self._engine.stop()

    async def run(self, wire: Wire, requests: Sequence[bytes]) -> Result:
        """Send the prepared requests in turn, and return what was measured."""
        slots = await wire.open(self._load.connections)
        self._phases = phases_of(self._load, time.perf_counter_ns())
        self._recorder = Recorder(self._load, self._phases)
        pace = pace_of(self._load, self._phases)
        self._engine = Engine(self._load, pace, self._phases, self._recorder, self._tick)
        if self._interrupted:
            return self._result(None)
        asyncio.get_running_loop().call_later(self._load.warm_up, self._meter.begin)
        ended = await self._engine.run(slots, requests)
        if not self._interrupted and not ended and (unsent := pace.unsent(self._phases.end)):
            self._recorder.failures[_NOT_SENT] += unsent
        return self._result(ended)

    def _tick(self) -> str | None:
        if self._meter.has_begun:
            self._meter.sample()
        return self._child.ending if self._child else None

    def _seconds(self, ended: str | None) -> float:
        """Return how long was measured: as asked for, unless it ended early or was counted."""
        if not (self._interrupted or ended or self._load.requests):
            return self._load.seconds
        last = self._recorder.last_answer if self._load.requests else time.perf_counter_ns()
        return max(0.0, (last - self._phases.begin) / SECOND)

    def _result(self, ended: str | None) -> Result:
        if not self._meter.has_begun:
            self._meter.begin()
        load, recorder, meter = self._load, self._recorder, self._meter
        seconds = self._seconds(ended)
        histogram = recorder.latencies()
        target = self._subject.target
        lags = recorder.lags
        generator = GeneratorUse(
            meter.generator_cpu(), milliseconds(lags, 0.5), milliseconds(lags, 0.99)
        )
        throughput = recorder.answered_in_time / seconds if seconds else 0.0
        latency, idle = latency_of(histogram), meter.idle()
        return Result(
            url=target.url,
            api="gRPC" if target.is_grpc else "REST",
            model=target.model,
            signature=self._subject.signature,
            payload_bytes=self._subject.payload_bytes,
            connections=load.connections,
            rate=load.rate,
            seconds=seconds,
            answered=histogram.count,
            throughput=throughput,
            failed=recorder.failures.total(),
            failures=dict(recorder.failures.most_common()),
            waited=recorder.waited,
            latency=latency,
            spectrum=spectrum_of(histogram),
            intervals=recorder.intervals(seconds),
            generator=generator,
            server=meter.server(),
            idle=idle,
            notes=(
                *generator_notes(generator, latency),
                *rate_notes(load, throughput, recorder.waited, histogram.count),
                *machine_notes(idle, is_local=meter.is_local),
                *sample_notes(histogram.count),
            ),
            interrupted=self._interrupted,
            ended=ended,
        )
