"""Metrics in memory, by project: series, and for each minute a number or a distribution.

A restart of the emulator begins with empty metrics, as of the offline CloudWatch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .descriptors import ENDPOINT, Descriptor
from .distribution import Distribution

MINUTE = 60
Labels = tuple[tuple[str, str], ...]
Value = int | float | Distribution


@dataclass(frozen=True, slots=True)
class Series:
    """The identity of a time series."""

    descriptor: Descriptor
    labels: Labels
    resource: Labels
    """The labels of the endpoint."""

    def fields(self) -> dict[str, str]:
        """Return what filters and groups can name."""
        return {
            "metric.type": self.descriptor.type,
            "resource.type": ENDPOINT,
            **{f"metric.labels.{key}": value for key, value in self.labels},
            **{f"resource.labels.{key}": value for key, value in self.resource},
        }


class MetricStore:
    """The metrics of all projects."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._projects: dict[str, dict[Series, dict[int, Value]]] = {}

    def count(self, project: str, series: Series, amount: int = 1) -> None:
        """Add to the present minute of a number."""
        values = self._minutes(project, series)
        minute = self._minute()
        present = values.get(minute, 0)
        assert isinstance(present, int)
        values[minute] = present + amount

    def observe(self, project: str, series: Series, value: float) -> None:
        """Add a value to the present minute of a distribution."""
        values = self._minutes(project, series)
        present = values.setdefault(self._minute(), Distribution())
        assert isinstance(present, Distribution)
        present.add(value)

    def series(self, project: str) -> Mapping[Series, Mapping[int, Value]]:
        """Return the series of a project, each with its values by the beginning of their minute."""
        return self._projects.get(project, {})

    def _minutes(self, project: str, series: Series) -> dict[int, Value]:
        return self._projects.setdefault(project, {}).setdefault(series, {})

    def _minute(self) -> int:
        return int(self._now() // MINUTE) * MINUTE
