"""False alarms and power of the canary's tests, by simulation with a look after every request.

Prints shares of seeded runs, and draws the first test's as `bench-canary.svg`. All runs of a table
are simulated together with numpy, by the formulas of `cloudserve.release.canary.evidence`, and the
two are compared at every 97th request of the first run.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log, pi, sqrt
from pathlib import Path

import numpy as np
from curves import Curve, plot
from labelled import print_tables

from cloudserve.release.canary.evidence import Counts, more_often, not_much_more_often
from cloudserve.release.canary.rules import CanaryRules

AA_RUNS = 5000
AB_RUNS = 1000
MARGIN_RUNS = 1000
REQUESTS = 2000
PLOT = Path("bench-canary.svg")
RULES = CanaryRules()
LABELLED_MARGIN = 0.05
COMPARED = 97
"""Requests between two comparisons with the package's own functions."""
_GOLDEN = (sqrt(5) - 1) / 2
_HALF = np.array([lgamma(k + 0.5) for k in range(REQUESTS * 2 + 2)])
_WHOLE = np.array([0.0, *(lgamma(k + 1.0) for k in range(REQUESTS * 2 + 1))])
Numbers = np.ndarray


@dataclass(frozen=True, slots=True)
class Test:
    """One of the two tests, at its level."""

    title: str
    limit: float
    """The log evidence that decides."""
    margin: float | None = None
    """The margin of the test that passes a canary; None is the test that calls it worse."""

    def evidence(self, live: Numbers, canary: Numbers, requests: int) -> Numbers:
        """Return the log evidence of all runs, from their events."""
        mixture = _mixture(live, requests) + _mixture(canary, requests)
        if self.margin is None:
            both = _log_likelihood(live + canary, 2 * requests, (live + canary) / (2 * requests))
            return np.where(canary > live, np.maximum(0.0, mixture - both), 0.0)
        highest = _highest(live, canary, requests, self.margin)
        is_above = canary > live + self.margin * requests
        return np.where(is_above, 0.0, np.maximum(0.0, mixture - highest))

    def exactly(self, live: Counts, canary: Counts) -> float:
        """Return the log evidence as the package computes it."""
        if self.margin is None:
            return more_often(live, canary)
        return not_much_more_often(live, canary, self.margin)


def _mixture(events: Numbers, requests: int) -> Numbers:
    # B(events + 1/2, failures + 1/2) / B(1/2, 1/2), where Γ(1/2)² = π.
    return _HALF[events] + _HALF[requests - events] - _WHOLE[requests + 1] - log(pi)


def _log_likelihood(events: Numbers, requests: int, share: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        hits = np.where(events > 0, events * np.log(share), 0.0)
        misses = np.where(events < requests, (requests - events) * np.log1p(-share), 0.0)
    return hits + misses


def _highest(live: Numbers, canary: Numbers, requests: int, margin: float) -> Numbers:
    def likelihood(p: Numbers) -> Numbers:
        return _log_likelihood(live, requests, p) + _log_likelihood(canary, requests, p + margin)

    low, high = np.zeros(len(live)), np.full(len(live), 1.0 - margin)
    for _ in range(40):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        is_right = likelihood(left) < likelihood(right)
        low, high = np.where(is_right, left, low), np.where(is_right, high, right)
    ends = (likelihood(np.zeros(len(live))), likelihood(np.full(len(live), 1.0 - margin)))
    return np.maximum.reduce([likelihood((low + high) / 2), *ends])


def simulate(test: Test, shares: tuple[float, float], runs: int, most: int) -> Numbers:
    """Return the request after which each run was decided; 0 if it was not."""
    rng = np.random.default_rng([int(1e6 * share) for share in shares])
    live, canary = np.zeros(runs, int), np.zeros(runs, int)
    ends = np.zeros(runs, int)
    for number in range(1, most + 1):
        live += rng.random(runs) < shares[0]
        canary += rng.random(runs) < shares[1]
        evidence = test.evidence(live, canary, number)
        if number % COMPARED == 0:
            counts = Counts(number, int(live[0])), Counts(number, int(canary[0]))
            assert abs(float(evidence[0]) - test.exactly(*counts)) < 1e-3, (counts, evidence[0])
        ends = np.where((ends == 0) & (evidence >= test.limit), number, ends)
        if ends.all():
            break
    return ends


def table(test: Test, shares: list[tuple[float, float]], runs: int, most: int) -> list[Curve]:
    """Print the decided runs of a test; return their curves."""
    print(f"\n{test.title}; {runs} runs of at most {most} requests to each")
    print("live     canary   decided  after requests (mean)")
    curves = []
    for live, canary in shares:
        ends = simulate(test, (live, canary), runs, most)
        decided = ends[ends > 0]
        after = f"{decided.mean():,.0f}" if len(decided) else "-"
        print(f"{live:6.1%}  {canary:6.1%}   {len(decided) / runs:7.2%}  {after}")
        counted = np.cumsum(np.bincount(decided, minlength=most + 1)[1:]) / runs
        name = f"{live:.1%} and {canary:.1%} events"
        curves.append(Curve(name, counted.tolist(), is_dashed=live == canary))
    return curves


def main() -> None:
    """Print the rates of both tests, and draw those of the first."""
    worse = Test(f"called worse at {RULES.false_alarm:.0%}", log(1 / RULES.false_alarm))
    equal = [(share, share) for share in (0.001, 0.01, 0.05, 0.2, 0.5)]
    print("equal revisions (A/A): the share of false alarms")
    curves = table(worse, equal, AA_RUNS, REQUESTS)
    print("\nworse revisions (A/B): the power")
    power = [(0.0, 0.02), (0.0, 0.05), (0.0, 0.1), (0.01, 0.05), (0.05, 0.1), (0.05, 0.15)]
    curves = [*table(worse, power, AB_RUNS, REQUESTS), *curves[1:3]]
    margin = RULES.more_errors
    passes = Test(f"passed at {RULES.false_pass:.0%}", RULES.pass_evidence, margin)
    edge = [(share, share + margin) for share in (0.0, 0.01, 0.05)]
    print(f"\nat the margin of {margin:.0%}: the share that passes wrongly")
    table(passes, edge, MARGIN_RUNS, 500)
    print("\nequal revisions that pass")
    table(passes, [(0.0, 0.0), (0.001, 0.001), (0.01, 0.01)], 100, REQUESTS)
    print("\nlabelled requests, in pairs")
    print_tables(RULES.false_alarm, RULES.false_pass, LABELLED_MARGIN)
    title = f"Runs in which the canary is called worse, by requests ({RULES.false_alarm:.0%} test)"
    PLOT.write_text(plot(title, curves, RULES.false_alarm))
    print(f"\nthe first test's curves are in {PLOT}")


if __name__ == "__main__":
    main()
