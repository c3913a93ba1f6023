"""False alarms and power of the tests of labelled accuracy, with a look after every request.

All runs of a row are simulated together with numpy, by the formulas of
`cloudserve.release.canary.accuracy`; the two are compared at every 97th request of the first run.
"""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma, log, pi

import numpy as np

from cloudserve.release.canary.accuracy import Pairs, not_much_more_wrong, wrong_more_often

COMPARED = 97
BETS = 16
Numbers = np.ndarray
Evidence = Callable[[Numbers, Numbers, int], Numbers]
"""Log evidence of runs: of the requests that only the canary has wrong, only the live one, all."""


def worse(most: int) -> Evidence:
    """Return the evidence that the canary is wrong more often."""
    half = np.array([lgamma(k + 0.5) for k in range(most + 1)])
    whole = np.array([lgamma(k + 1.0) for k in range(most + 1)])

    def evidence(lost: Numbers, won: Numbers, _requests: int) -> Numbers:
        both = lost + won
        found = half[lost] + half[won] - whole[both] - log(pi) + both * log(2)
        return np.where(lost > won, np.maximum(0.0, found), 0.0)

    return evidence


def within(margin: float) -> Evidence:
    """Return the evidence that it is wrong for less than `margin` more of the requests."""
    bets = np.arange(1, BETS + 1)[:, None] / (BETS + 1) / (1 - margin)

    def evidence(lost: Numbers, won: Numbers, requests: int) -> Numbers:
        logs = (
            (requests - lost - won) * np.log1p(bets * margin)
            + lost * np.log1p(bets * (margin - 1))
            + won * np.log1p(bets * (margin + 1))
        )
        most = logs.max(axis=0)
        return np.maximum(0.0, most + np.log(np.exp(logs - most).mean(axis=0)))

    return evidence


def simulate(
    evidence: Evidence,
    exactly: Callable[[Pairs], float],
    shares: tuple[float, float],
    limit: float,
    runs: int,
    most: int,
) -> Numbers:
    """Return the request after which each run was decided; 0 if it was not."""
    rng = np.random.default_rng([int(1e6 * share) for share in shares])
    lost, won, ends = np.zeros(runs, int), np.zeros(runs, int), np.zeros(runs, int)
    for number in range(1, most + 1):
        drawn = rng.random(runs)
        lost += drawn < shares[0]
        won += (drawn >= shares[0]) & (drawn < sum(shares))
        found = evidence(lost, won, number)
        if number % COMPARED == 0:
            first = int(lost[0]), int(won[0])
            pairs = Pairs(number - sum(first), 0, *first)
            assert abs(float(found[0]) - exactly(pairs)) < 1e-6, pairs
        ends = np.where((ends == 0) & (found >= limit), number, ends)
    return ends


def table(
    title: str,
    evidence: Evidence,
    exactly: Callable[[Pairs], float],
    limit: float,
    shares: list[tuple[float, float]],
    runs: int,
    most: int,
) -> None:
    """Print the decided runs of one test."""
    print(f"\n{title}; {runs} runs of at most {most} labelled requests")
    print("only canary wrong  only live wrong  decided  after requests (mean)")
    for lost, won in shares:
        ends = simulate(evidence, exactly, (lost, won), limit, runs, most)
        decided = ends[ends > 0]
        after = f"{decided.mean():,.0f}" if len(decided) else "-"
        print(f"{lost:17.1%}  {won:15.1%}  {len(decided) / runs:7.2%}  {after}")


def print_tables(false_alarm: float, false_pass: float, margin: float) -> None:
    """Print false alarms, power, and wrong and right passes at a margin."""
    most = 1000
    alarm, passes = log(1 / false_alarm), log(1 / false_pass)
    equal = [(share, share) for share in (0.005, 0.02, 0.1, 0.3)]
    worse_pairs = [(0.05, 0.0), (0.1, 0.02), (0.1, 0.05), (0.2, 0.1)]
    at_margin = [(margin + share, share) for share in (0.0, 0.02, 0.1)]
    alike = [(0.0, 0.0), (0.01, 0.01), (0.05, 0.05)]
    found, exact = worse(most), wrong_more_often
    table(
        f"equally accurate, called worse at {false_alarm:.0%}",
        found,
        exact,
        alarm,
        equal,
        5000,
        most,
    )
    table(
        f"less accurate, called worse at {false_alarm:.0%}",
        found,
        exact,
        alarm,
        worse_pairs,
        1000,
        most,
    )
    inside = within(margin)

    def exact_within(pairs: Pairs) -> float:
        return not_much_more_wrong(pairs, margin)

    title = f"passed at {false_pass:.0%}"
    table(
        f"at the margin of {margin:.0%}, {title}",
        inside,
        exact_within,
        passes,
        at_margin,
        2000,
        most,
    )
    table(f"equally accurate, {title}", inside, exact_within, passes, alike, 500, most)
