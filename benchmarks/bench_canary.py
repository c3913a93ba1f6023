"""False alarms and power of the canary's tests, by simulation with a look after every request.

Prints shares of runs, which are seeded; there is nothing to compare with but the levels.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import log
from statistics import mean

from cloudserve.release.canary.evidence import Counts, more_often, not_much_more_often
from cloudserve.release.canary.rules import CanaryRules

RUNS = 1000
REQUESTS = 2000
RULES = CanaryRules()
Decide = Callable[[Counts, Counts], bool]
Shares = list[tuple[float, float]]
"""The probabilities of an event on the live revision and on the canary."""


def run(seed: int, live_share: float, canary_share: float, decide: Decide, most: int) -> int:
    """Return the request after which a decision was made; 0 if there was none."""
    rng = random.Random(seed)
    live = canary = Counts()
    for number in range(1, most + 1):
        live = live.add(event=rng.random() < live_share)
        canary = canary.add(event=rng.random() < canary_share)
        if decide(live, canary):
            return number
    return 0


def table(
    title: str, decide: Decide, shares: list[tuple[float, float]], runs: int, most: int
) -> None:
    print(f"\n{title}; {runs} runs of at most {most} requests to each")
    print("live     canary   decided  after requests (mean)")
    for live, canary in shares:
        ends = [run(seed, live, canary, decide, most) for seed in range(runs)]
        decided = [end for end in ends if end]
        after = f"{mean(decided):,.0f}" if decided else "-"
        print(f"{live:6.1%}  {canary:6.1%}   {len(decided) / runs:7.2%}  {after}")


def main() -> None:
    """Print the rates of both tests."""
    alarm = log(1 / RULES.false_alarm)

    def is_worse(live: Counts, canary: Counts) -> bool:
        return more_often(live, canary) >= alarm

    def passes(live: Counts, canary: Counts) -> bool:
        return not_much_more_often(live, canary, RULES.more_errors) >= RULES.pass_evidence

    equal = [(share, share) for share in (0.001, 0.01, 0.05, 0.2, 0.5)]
    table(
        f"called worse at {RULES.false_alarm:.0%}, equal revisions", is_worse, equal, RUNS, REQUESTS
    )
    worse = [(0.0, 0.02), (0.0, 0.05), (0.0, 0.1), (0.01, 0.05), (0.05, 0.1), (0.05, 0.15)]
    table("called worse, worse revisions", is_worse, worse, RUNS, REQUESTS)
    margin = RULES.more_errors
    edge = [(share, share + margin) for share in (0.0, 0.01, 0.05)]
    table(
        f"passed at {RULES.false_pass:.0%}, at the margin of {margin:.0%}", passes, edge, 200, 1000
    )
    good = [(0.0, 0.0), (0.001, 0.001), (0.01, 0.01)]
    table("passed, equal revisions", passes, good, 50, 4000)


if __name__ == "__main__":
    main()
