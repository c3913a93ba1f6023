"""Sentences about a measurement: what limits it, and what its figures do not show."""

from __future__ import annotations

from collections.abc import Iterator

from cloudserve.bench.result import GeneratorUse, Latency
from cloudserve.bench.settings import Load
from cloudserve.plural import counted

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
