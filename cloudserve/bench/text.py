"""A result as names and texts, for a terminal and for a page, and notes on what limits it."""

from __future__ import annotations

from collections.abc import Iterator

from cloudserve.bench.result import GeneratorUse, Latency, Result
from cloudserve.bench.settings import Load
from cloudserve.plural import counted

_MIB = 2**20
_SUBMILLISECOND = 10


def summary(result: Result) -> list[tuple[str, str]]:
    """Return the lines of a result: a name and a text each."""
    return [*_load(result), *_answers(result), *_latency(result.latency), *_use(result)]


def _load(result: Result) -> Iterator[tuple[str, str]]:
    signature = f", signature {result.signature}" if result.signature else ""
    yield "requests", f"{result.api}, {counted(result.payload_bytes, 'byte')}{signature}"
    yield "load", f"{_loop(result)}, {result.seconds:.1f} s"


def _loop(result: Result) -> str:
    if result.rate is None:
        return f"closed loop, {result.connections} in flight"
    most = f"at most {result.connections} in flight"
    return f"open loop, {result.rate:,g} requests per second, {most}"


def _answers(result: Result) -> Iterator[tuple[str, str]]:
    yield "throughput", f"{result.throughput:,.1f} answers per second"
    yield "answered", f"{result.answered:,}"
    yield "failed", f"{result.failed:,}"
    for kind, count in result.failures.items():
        yield f"  {kind}", f"{count:,}"


def _latency(latency: Latency | None) -> Iterator[tuple[str, str]]:
    if latency is None:
        return
    yield "latency", f"mean {_ms(latency.mean)}, min {_ms(latency.min)}, max {_ms(latency.max)}"
    for name in ("p50", "p75", "p90", "p95", "p99", "p999"):
        label = "p99.9" if name == "p999" else name
        yield f"  {label}", _ms(getattr(latency, name))


def _ms(value: float) -> str:
    return f"{value:.3f} ms" if value < _SUBMILLISECOND else f"{value:,.1f} ms"


def _use(result: Result) -> Iterator[tuple[str, str]]:
    server = result.server
    if server:
        processes = f" in {server.processes} processes" if server.processes > 1 else ""
        yield "server", f"{server.cpu:.2f} cores, {server.memory / _MIB:,.0f} MiB{processes}"
    lag = result.generator.lag_p99
    late = f", p99 of its delay {_ms(lag)}" if lag is not None else ""
    yield "load generator", f"{result.generator.cpu:.2f} cores{late}"
    if result.idle is not None:
        yield "machine", f"{result.idle:.0%} idle"


BUSY_GENERATOR = 0.9
LATE_MS = 2.0
LATE_SHARE = 0.1
KEPT_RATE = 0.98
WAITED_SHARE = 0.01
BUSY_MACHINE = 0.05
FEW_ANSWERS = 10_000
"""Answers that a 99.9th percentile needs to rest on ten of them."""


def generator_notes(use: GeneratorUse, latency: Latency | None) -> Iterator[str]:
    """Yield a sentence for each sign that the load generator was the bottleneck."""
    if use.cpu >= BUSY_GENERATOR:
        yield (
            f"the load generator was the bottleneck: it used {use.cpu:.0%} of a core; the server "
            "may be faster than these figures"
        )
    lag = use.lag_p99
    if lag is not None and lag > LATE_MS and (latency is None or lag > LATE_SHARE * latency.p50):
        yield (
            f"the load generator was late: 1 % of the requests left {lag:.1f} ms or more after "
            "their time; the latencies include it"
        )


def rate_notes(load: Load, throughput: float, waited: int, answered: int) -> Iterator[str]:
    """Yield sentences about an open loop that the server does not keep up with."""
    if load.rate is None:
        return
    if throughput < KEPT_RATE * load.rate:
        yield f"the server answered {throughput:,.0f} of {load.rate:,.0f} requests a second"
    if waited > WAITED_SHARE * answered:
        yield (
            f"{counted(waited, 'request')} waited for a free connection, which their latency "
            "includes: the server is too slow for the rate, or there are too few connections"
        )


def machine_notes(idle: float | None, *, is_local: bool) -> Iterator[str]:
    """Yield a sentence if server and load generator compete for the same busy cores."""
    if is_local and idle is not None and idle < BUSY_MACHINE:
        yield (
            f"all cores of this machine were busy ({idle:.0%} idle): the server, the load "
            "generator and other processes slowed each other down"
        )


def sample_notes(answered: int) -> Iterator[str]:
    """Yield a sentence if a percentile rests on few requests."""
    if 0 < answered < FEW_ANSWERS:
        few = answered // 1000 or "less than one"
        yield f"p99.9 rests on {few} of {counted(answered, 'answer')}"
