"""The records of a load test; times are milliseconds unless the name says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudserve.bench.histogram import Histogram

_MILLISECOND = 1e6
SHARES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
_SPECTRUM = sorted({0.0, *SHARES, *(1 - 2 ** -(n / 4) for n in range(57))})
"""Shares whose distance from 1 shrinks by equal factors, down to 1/16384."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies of the successful requests."""

    mean: float
    min: float
    p50: float
    p75: float
    p90: float
    p95: float
    p99: float
    p999: float
    max: float


@dataclass(frozen=True, slots=True)
class Interval:
    """A part of the measurement; latencies are None if nothing was answered in it."""

    at: float
    """Seconds from the beginning of the measurement to the end of the interval."""
    throughput: float
    """Successful answers a second."""
    failed: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a local server used, at one time."""

    at: float
    """Seconds from the beginning of the measurement."""
    cpu: float
    """Cores in use since the sample before."""
    memory: int
    """Resident bytes."""


@dataclass(frozen=True, slots=True)
class ServerUse:
    """What a local server used during the measurement."""

    cpu: float
    """Cores, on average."""
    memory: int
    """Resident bytes, at most."""
    processes: int
    samples: tuple[Usage, ...]


@dataclass(frozen=True, slots=True)
class GeneratorUse:
    """What the load generator used, and how late it was."""

    cpu: float
    """Cores, on average; it has one thread that sends and receives."""
    lag_p50: float | None
    """Open loop: delay between the intended time and the sending, with a free connection."""
    lag_p99: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a load test measured."""

    url: str
    api: str
    """`REST` or `gRPC`."""
    model: str
    signature: str
    payload_bytes: int
    """Size of a request's body, on average."""
    connections: int
    rate: float | None
    """The rate of an open loop; None for a closed loop."""
    seconds: float
    """Duration of the measurement."""
    answered: int
    """Successful answers."""
    throughput: float
    """Successful answers a second, within the measurement."""
    failed: int
    failures: Mapping[str, int]
    """Failed requests by kind: `HTTP 503`, `UNAVAILABLE`, `timeout`, `connection refused`, …"""
    waited: int
    """Open loop: requests that were due before a connection was free."""
    latency: Latency | None
    """None if nothing was answered."""
    spectrum: tuple[tuple[float, float], ...]
    """Shares of the requests, and the latency that they did not exceed."""
    intervals: tuple[Interval, ...]
    generator: GeneratorUse
    server: ServerUse | None
    """None for a server that is not on this machine."""
    idle: float | None
    """Idle share of the machine's cores, None where `/proc/stat` does not exist."""
    notes: tuple[str, ...]
    """Sentences about what limits the figures."""
    interrupted: bool
    ended: str | None
    """Why the measurement ended early; None if it did not."""


def latency_of(histogram: Histogram) -> Latency | None:
    """Return the record of a histogram of nanoseconds."""
    if not histogram.count:
        return None
    p50, p75, p90, p95, p99, p999 = (
        value / _MILLISECOND for value in histogram.quantiles(list(SHARES))
    )
    return Latency(
        mean=histogram.mean / _MILLISECOND,
        min=histogram.minimum / _MILLISECOND,
        p50=p50,
        p75=p75,
        p90=p90,
        p95=p95,
        p99=p99,
        p999=p999,
        max=histogram.maximum / _MILLISECOND,
    )


def spectrum_of(histogram: Histogram) -> tuple[tuple[float, float], ...]:
    """Return shares and milliseconds, as far as each share rests on a request of its own."""
    if not histogram.count:
        return ()
    shares = [share for share in _SPECTRUM if (1 - share) * histogram.count >= 1]
    values = histogram.quantiles(shares)
    points = [(share, value / _MILLISECOND) for share, value in zip(shares, values, strict=True)]
    return tuple(points)


def milliseconds(histogram: Histogram, share: float) -> float | None:
    """Return a quantile in milliseconds, None without values."""
    return histogram.quantile(share) / _MILLISECOND if histogram.count else None
