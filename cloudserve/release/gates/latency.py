"""The gate *latency*: quantiles of the revision's response times are within their bounds.

A bound holds if the whole confidence interval of the quantile, by order statistics
(`quantiles.py`), is within it. The bounds are milliseconds, or multiples of the live revision's
quantile, which is sent the same requests in turns, each of both first every other time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from cloudserve.errors import RemoteError, UnreachableError
from cloudserve.plural import counted
from cloudserve.project.gate_settings import QUANTILES, LatencySettings
from cloudserve.release.gates.quantiles import Interval, quantile_interval, ratio_interval
from cloudserve.release.gates.requests import RequestSource
from cloudserve.release.gates.revisions import Revisions
from cloudserve.release.types import GateStep, Plan, Reading
from cloudserve.release.verdict import Ruling, Verdict

if TYPE_CHECKING:
    from cloudserve.golden.ask import Ask

LATENCY = "latency"
WARM_UP = 10
"""Requests to each revision before those that are measured."""
_MILLISECONDS = 1000
_REQUESTS = "correct the model; or name a golden file with requests that it answers: latency: file:"


@dataclass(frozen=True, slots=True)
class LatencyGate:
    """The response times of one model on one target."""

    settings: LatencySettings
    requests: RequestSource
    revisions: Revisions
    clock: Callable[[], float] = time.perf_counter

    def step(self, plan: Plan, reading: Reading) -> GateStep | None:
        """Return the step of a plan that gives the revision its first traffic, else None.

        Raises UserError if there are no requests.
        """
        if not self.revisions.is_new(plan, reading):
            return None
        live = plan.previous if self.settings.times_live else None
        requests, why = self.requests.read(LATENCY, plan.revision), self._why_not(plan, reading)
        sentence = f"measure {counted(self.settings.requests, 'request')} to {plan.revision.id}"
        sentence += f", and to {live} in turns" if live else ""
        args = {
            "requests": self.settings.requests,
            "payloads": requests.digest,
            "milliseconds": dict(self.settings.milliseconds),
            "times_live": dict(self.settings.times_live),
            "confidence": self.settings.confidence,
            "live": live,
            "unasked": why,
        }
        return GateStep(LATENCY, sentence, args)

    def _why_not(self, plan: Plan, reading: Reading) -> str:
        why = self.revisions.why_not_deployed(plan, reading)
        if why or not self.settings.times_live:
            return why
        if plan.previous is None:
            return "nothing is live to compare it with"
        return self.revisions.why_not_asked(reading, plan.previous)

    def check(self, plan: Plan, step: GateStep) -> Verdict:
        """Send the requests and compare the response times; raises UnreachableError."""
        if why := step.args["unasked"]:
            sentence = f"the response times cannot be measured: {why}"
            hint = "turn the gate off for this target"
            return Verdict(LATENCY, Ruling.REFUSED, sentence, dict(step.args), hint=hint)
        requests = self.requests.read(LATENCY, plan.revision)
        bodies = [msgspec.json.encode(request) for request in requests.bodies]
        names = [name for name in (plan.revision.id, step.args["live"]) if name]
        stopwatch = Stopwatch({name: self.revisions.ask(name) for name in names}, self.clock)
        for body in islice(cycle(bodies), WARM_UP):
            stopwatch.send(body)
        stopwatch.forget()
        for body in islice(cycle(bodies), self.settings.requests):
            stopwatch.send(body)
        return self._verdict(stopwatch, *names)

    def _verdict(self, stopwatch: Stopwatch, name: str, live: str = "") -> Verdict:
        settings, failures = self.settings, stopwatch.failures[name]
        figures: dict[str, Any] = {
            "requests": settings.requests,
            "failed": len(failures),
            "confidence": settings.confidence,
        }
        failed_alone = [text for text, other in failures if not (live and other)]
        if failed_alone:
            requests = counted(settings.requests, "request")
            sentence = f"{len(failed_alone)} of {requests} fail: {failed_alone[0]}"
            return Verdict(LATENCY, Ruling.REFUSED, sentence, figures, hint=_REQUESTS)
        if not all(stopwatch.times.values()):
            sentence = f"none of {counted(settings.requests, 'request')} is answered"
            return Verdict(LATENCY, Ruling.REFUSED, sentence, figures, hint=_REQUESTS)
        bounds = list(self._bounds(stopwatch, name, live))
        figures["bounds"] = [bound.figures() for bound in bounds]
        broken = next((bound for bound in bounds if not bound.holds), None)
        shown = [broken] if broken else bounds
        return Verdict(
            LATENCY,
            Ruling.REFUSED if broken else Ruling.PASSED,
            "; ".join(bound.sentence(settings.confidence) for bound in shown),
            figures,
            tuple(bound.sentence(settings.confidence) for bound in bounds),
            hint=broken.hint if broken else "",
        )

    def _bounds(self, stopwatch: Stopwatch, name: str, live: str) -> Iterator[Bound]:
        times, confidence = stopwatch.times, self.settings.confidence
        for quantile, most in self.settings.milliseconds.items():
            interval = quantile_interval(times[name], QUANTILES[quantile], confidence)
            yield Bound(quantile, interval, most, " ms")
        for quantile, most in self.settings.times_live.items():
            interval = ratio_interval(times[name], times[live], QUANTILES[quantile], confidence)
            yield Bound(quantile, interval, most, f" times that of {live}")


@dataclass(frozen=True, slots=True)
class Bound:
    """The greatest value of a quantile, and what was measured."""

    quantile: str
    interval: Interval
    most: float
    unit: str

    @property
    def holds(self) -> bool:
        """Return whether the whole interval is within the bound."""
        return self.interval.high <= self.most

    @property
    def hint(self) -> str:
        """Return what to do if the bound does not hold."""
        if self.interval.low > self.most:
            return "compare the machines and the load of both; or allow more"
        return "it may hold: send more `requests`, which makes the interval narrower; or allow more"

    def sentence(self, confidence: float) -> str:
        """Return what was measured, as a clause."""
        low, value, high = (
            f"{one:.3g}" for one in (self.interval.low, self.interval.value, self.interval.high)
        )
        bound = f"{self.most:g}{self.unit}"
        verb = "is not proven to be at most"
        if self.holds:
            verb = "is at most"
        elif self.interval.low > self.most:
            verb = "is more than"
        return (
            f"{self.quantile} {verb} {bound}: {value}, and from {low} to {high} "
            f"with a confidence of {confidence:.0%}"
        )

    def figures(self) -> dict[str, Any]:
        """Return the bound as a JSON object; an interval without an upper end has null."""
        high = None if self.interval.high == inf else self.interval.high
        return {
            "quantile": self.quantile,
            "unit": self.unit.strip(),
            "most": self.most,
            "low": self.interval.low,
            "value": self.interval.value,
            "high": high,
        }


@dataclass(slots=True)
class Stopwatch:
    """Sends each request to all revisions in turns, and keeps the milliseconds of the answers."""

    asks: Mapping[str, Ask]
    clock: Callable[[], float]
    times: dict[str, list[float]] = field(init=False)
    failures: dict[str, list[tuple[str, bool]]] = field(init=False)
    """The texts of the failures, each with whether another revision failed too."""
    _sent: int = 0

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop what was measured."""
        self.times = {name: [] for name in self.asks}
        self.failures = {name: [] for name in self.asks}

    def send(self, body: bytes) -> None:
        """Send a request to each revision; raises UnreachableError."""
        self._sent += 1
        names = list(self.asks)[:: 1 if self._sent % 2 else -1]
        texts = {name: self._measure(name, body) for name in names}
        for name, text in texts.items():
            if text:
                has_company = any(texts[other] for other in texts if other != name)
                self.failures[name].append((text, has_company))

    def _measure(self, name: str, body: bytes) -> str:
        begin = self.clock()
        try:
            self.asks[name](body)
        except UnreachableError:
            raise
        except RemoteError as error:
            return error.message
        self.times[name].append((self.clock() - begin) * _MILLISECONDS)
        return ""
