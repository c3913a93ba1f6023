"""The machines of a release: how many are charged before, while and after its actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines of one kind that serve one revision."""

    revision: str
    """The id; the platform's own name for a deployment that is not cloudserve's."""
    kind: str
    """Such as `ml.m5.large`, or `serverless 2048 MB`."""
    count: int
    """The machines that always run; 0 for serverless ones."""
    most: int = 0
    """The most that automatic scaling runs; 0 without it."""


Stage = tuple[Machines, ...]
"""All machines at one moment."""


@dataclass(frozen=True, slots=True)
class Change:
    """The machines of one kind of one revision, before and after a plan."""

    revision: str
    kind: str
    now: int
    after: int
    most: int = 0
    """The most that automatic scaling runs after the plan; 0 without it."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The machines of a plan: each revision's, and all together."""

    machines: tuple[Change, ...]
    now: int
    peak: int
    """The most at the same time while the plan is carried out."""
    after: int


def capacity_of(stages: Sequence[Stage]) -> Capacity | None:
    """Return the machines of a plan from its stages: the first is now; None if there are none."""
    if not any(stages):
        return None
    now, after = (_counts(stage) for stage in (stages[0], stages[-1]))
    most = {(each.revision, each.kind): each.most for each in stages[-1]}
    changes = tuple(
        Change(*key, now[key], after[key], most.get(key, 0)) for key in sorted({*now, *after})
    )
    totals = [sum(each.count for each in stage) for stage in stages]
    return Capacity(changes, totals[0], max(totals), totals[-1])


def _counts(stage: Stage) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for each in stage:
        counts[each.revision, each.kind] += each.count
    return counts
