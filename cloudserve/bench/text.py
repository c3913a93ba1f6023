"""A result as names and texts, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator

from cloudserve.bench.result import Latency, Result
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
