"""Alignment of time series to periods, and their reduction to fewer series.

Sources: the enums Aligner and Reducer of Google's discovery document of monitoring v3, which say
the kinds and types that each is valid for, and what it returns. The periods end at the end of the
interval. A period without data has no point, where the service interpolates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from ....status import Code
from ..common.errors import ApiError
from .descriptors import DELTA, DISTRIBUTION, DOUBLE, GAUGE, INT64
from .distribution import Distribution, merged
from .store import Value

_NUMBERS = frozenset({INT64, DOUBLE})
_PERCENTILES = {f"PERCENTILE_{percent:02}": float(percent) for percent in (99, 95, 50, 5)}


@dataclass(frozen=True, slots=True)
class Point:
    """A value, and the interval that it is for."""

    start: float
    end: float
    value: Value


@dataclass(frozen=True, slots=True)
class Line:
    """A series with its points, oldest first."""

    fields: Mapping[str, str]
    kind: str
    value_type: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class _Operation:
    """What an aligner or a reducer makes of several values."""

    types: frozenset[str]
    apply: Callable[[Sequence[Value]], Value]
    kind: str = GAUGE
    value_type: str = ""
    """The type of the result; "" for that of the values."""


def _sum(values: Sequence[Value]) -> Value:
    parts = [value for value in values if isinstance(value, Distribution)]
    return merged(parts) if parts else sum(_numbers(values))


def _mean(values: Sequence[Value]) -> Value:
    parts = [value for value in values if isinstance(value, Distribution)]
    return merged(parts).mean if parts else fmean(_numbers(values))


def _percentile(percent: float, values: Sequence[Value]) -> Value:
    return merged(value for value in values if isinstance(value, Distribution)).percentile(percent)


def _numbers(values: Iterable[Value]) -> list[int | float]:
    return [value for value in values if not isinstance(value, Distribution)]


_ANY = _NUMBERS | {DISTRIBUTION}
_ONLY_DISTRIBUTION = frozenset({DISTRIBUTION})
_ALIGNERS: Mapping[str, _Operation] = {
    "ALIGN_DELTA": _Operation(_ANY, _sum, DELTA),
    "ALIGN_SUM": _Operation(_ANY, _sum, DELTA),
    "ALIGN_RATE": _Operation(_NUMBERS, _sum, GAUGE, DOUBLE),
    "ALIGN_MIN": _Operation(_NUMBERS, lambda values: min(_numbers(values))),
    "ALIGN_MAX": _Operation(_NUMBERS, lambda values: max(_numbers(values))),
    "ALIGN_MEAN": _Operation(_NUMBERS, _mean, GAUGE, DOUBLE),
    "ALIGN_COUNT": _Operation(_NUMBERS, len, GAUGE, INT64),
    **{
        f"ALIGN_{name}": _Operation(
            _ONLY_DISTRIBUTION, partial(_percentile, percent), GAUGE, DOUBLE
        )
        for name, percent in _PERCENTILES.items()
    },
}
_REDUCERS: Mapping[str, _Operation] = {
    "REDUCE_SUM": _Operation(_ANY, _sum),
    "REDUCE_MEAN": _Operation(_ANY, _mean, value_type=DOUBLE),
    "REDUCE_MIN": _Operation(_NUMBERS, lambda values: min(_numbers(values))),
    "REDUCE_MAX": _Operation(_NUMBERS, lambda values: max(_numbers(values))),
    "REDUCE_COUNT": _Operation(_ANY, len, value_type=INT64),
    **{
        f"REDUCE_{name}": _Operation(
            _ONLY_DISTRIBUTION, partial(_percentile, percent), value_type=DOUBLE
        )
        for name, percent in _PERCENTILES.items()
    },
}
_LATER = frozenset({"ALIGN_STDDEV", "ALIGN_PERCENT_CHANGE", "REDUCE_STDDEV"})
"""Valid for numbers, and not available offline."""


def align(lines: Iterable[Line], aligner: str, period: float, end: float) -> list[Line]:
    """Return the lines with one point for each period; raises ApiError for another type."""
    return [_aligned(line, aligner, period, end) for line in lines]


def _aligned(line: Line, aligner: str, period: float, end: float) -> Line:
    operation = _operation(_ALIGNERS, aligner, line, "perSeriesAligner", "aligner")
    periods: dict[int, list[Value]] = {}
    for point in line.points:
        periods.setdefault(int((end - point.end) // period), []).append(point.value)
    points = []
    for index, values in sorted(periods.items(), reverse=True):
        last = end - index * period
        value = operation.apply(values)
        if aligner == "ALIGN_RATE" and not isinstance(value, Distribution):
            value = value / period
        # The interval of a gauge is a moment.
        first = last - period if operation.kind == DELTA else last
        points.append(Point(first, last, value))
    value_type = operation.value_type or line.value_type
    return Line(line.fields, operation.kind, value_type, tuple(points))


def reduce_lines(lines: Sequence[Line], reducer: str, groups: Sequence[str]) -> list[Line]:
    """Return one line for each combination of the grouped fields' values; raises ApiError."""
    grouped: dict[tuple[tuple[str, str], ...], list[Line]] = {}
    for line in lines:
        key = tuple((name, line.fields[name]) for name in groups if name in line.fields)
        grouped.setdefault(key, []).append(line)
    return [_reduced(members, reducer, dict(key)) for key, members in grouped.items()]


def _reduced(lines: Sequence[Line], reducer: str, group: Mapping[str, str]) -> Line:
    first = lines[0]
    operation = _operation(_REDUCERS, reducer, first, "crossSeriesReducer", "reducer")
    moments: dict[float, list[Point]] = {}
    for line in lines:
        for point in line.points:
            moments.setdefault(point.end, []).append(point)
    types = {name: first.fields[name] for name in ("metric.type", "resource.type")}
    return replace(
        first,
        fields={**types, **group},
        value_type=operation.value_type or first.value_type,
        points=tuple(
            replace(column[0], value=operation.apply([point.value for point in column]))
            for _, column in sorted(moments.items())
        ),
    )


def _operation(
    known: Mapping[str, _Operation], name: str, line: Line, field: str, what: str
) -> _Operation:
    operation = known.get(name)
    if operation is not None and line.value_type in operation.types:
        return operation
    is_number = line.value_type in _NUMBERS
    if is_number and (name in _LATER or name.startswith("REDUCE_PERCENTILE")):
        raise ApiError(Code.UNIMPLEMENTED, f"{name} of numbers is not available offline.")
    if name == "REDUCE_STDDEV":
        raise ApiError(Code.UNIMPLEMENTED, f"{name} is not available offline.")
    raise ApiError(
        Code.INVALID_ARGUMENT,
        f'Field aggregation.{field} had an invalid value of "{name}": The {what} cannot be applied'
        f" to metrics with kind {line.kind} and value type {line.value_type}.",
    )
