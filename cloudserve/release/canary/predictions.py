"""The distribution of a canary's predictions, compared with the live revision's by class.

A class is the index of the largest of several numbers, a string, an integer, or, of a single
number, the quarter of the live revision's first answers that it falls into. The classes are fixed
by those answers, before any answer is counted. For each class both directions are tested against
"the share differs by at most the margin", with the tests of `evidence`; the level is divided among
them (Bonferroni), and a canary passes if no class's share differs by the margin (an intersection-
union test: Berger, Multiparameter hypothesis testing and acceptance sampling, Technometrics 1982).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from math import inf, isfinite
from statistics import quantiles
from typing import Any

import msgspec

from cloudserve.release.canary.evidence import Counts
from cloudserve.release.canary.record import CLASS, PROBES, CanaryRecord

MOST_CLASSES = 10
"""The most frequent classes, which are tested one by one; the others are tested as one."""
OTHERS = "others"
_QUARTERS = 4


def first_class(body: bytes) -> str | float | None:
    """Return the class of an answer's first prediction, or its number; None if it has neither."""
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    predictions = (
        answer.get("predictions", answer.get("outputs")) if isinstance(answer, dict) else None
    )
    return _class_of(
        predictions[0] if isinstance(predictions, list) and predictions else predictions
    )


def _class_of(value: Any) -> str | float | None:
    if isinstance(value, dict):
        return _class_of(value[min(value)]) if value else None
    if isinstance(value, list):
        numbers = [each for each in value if isinstance(each, int | float)]
        if len(value) > 1 and len(numbers) == len(value):
            return str(max(range(len(value)), key=lambda index: value[index]))
        return _class_of(value[0]) if value else None
    if isinstance(value, float):
        return value if isfinite(value) else None
    return None if value is None else str(value)


@dataclass(slots=True)
class Classes:
    """The answers of both revisions by class, once the classes are fixed."""

    first: int
    """The live revision's answers that fix the classes."""
    names: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    """The upper ends of the quarters of a single number; () for classes."""
    live: Counter[str] = field(default_factory=Counter)
    canary: Counter[str] = field(default_factory=Counter)
    _first_values: list[str | float] = field(default_factory=list)

    def add_live(self, body: bytes) -> None:
        """Count an answer of the live revision, or let it fix the classes."""
        value = first_class(body)
        if self.names:
            self.live[self._named(value)] += 1
        elif value is not None:
            self._first_values.append(value)
            if len(self._first_values) == self.first:
                self._fix()

    def add_canary(self, body: bytes) -> None:
        """Count an answer of the canary; ignored while the classes are not fixed."""
        if self.names:
            self.canary[self._named(first_class(body))] += 1

    def counts(self) -> tuple[tuple[str, float, Counts, Counts], ...]:
        """Return each class with its upper end, and its share of both revisions' answers."""
        live, canary = self.live.total(), self.canary.total()
        # JSON has no infinity: the last quarter has no upper end.
        ends = tuple(0.0 if edge == inf else edge for edge in self.edges) or (0.0,) * len(
            self.names
        )
        return tuple(
            (name, end, Counts(live, self.live[name]), Counts(canary, self.canary[name]))
            for name, end in zip(self.names, ends, strict=True)
        )

    def continue_from(self, record: CanaryRecord) -> None:
        """Take the classes and counts that an earlier run recorded."""
        known = [m for m in record.measures if m.source == PROBES and m.name.startswith(CLASS)]
        self.names = tuple(m.name.removeprefix(CLASS) for m in known)
        if any(m.threshold for m in known):
            self.edges = tuple(m.threshold or inf for m in known)
        for name, measured in zip(self.names, known, strict=True):
            self.live[name], self.canary[name] = measured.live.events, measured.canary.events

    def _fix(self) -> None:
        numbers = [value for value in self._first_values if isinstance(value, float)]
        if len(numbers) < len(self._first_values):
            common = Counter(map(str, self._first_values)).most_common(MOST_CLASSES)
            self.names = (*sorted(name for name, _ in common), OTHERS)
            return
        cuts = sorted(set(quantiles(numbers, n=_QUARTERS)))
        self.edges = (*cuts, inf)
        self.names = (*(f"up to {cut:.4g}" for cut in cuts), f"above {cuts[-1]:.4g}")

    def _named(self, value: str | float | None) -> str:
        if self.edges and isinstance(value, float):
            return self.names[bisect_left(self.edges, value)]
        name = str(value)
        return name if name in self.names else OTHERS
