"""Line charts as SVG, for pages that need no other file and follow the reader's colour scheme.

Colours and fonts are CSS classes of `page`; a point's value is its tooltip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 40
_TICKS = 5
_NICE = (1, 2, 2.5, 5, 10)
_MOST_MARKS = 80
"""Points beyond which a line has no marks."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """A named line."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over common axes; the vertical axis begins at 0."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    x_ticks: Sequence[tuple[float, str]] = ()
    """Positions and labels; by default round numbers."""
    limit: tuple[float, str] | None = None
    """A horizontal line with a label, such as an objective."""


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def draw(chart: Chart) -> str:
    """Return a chart as an SVG element; a paragraph if there is nothing to draw."""
    points = [point for series in chart.series for point in series.points]
    if not points:
        return f"<p>{escape(chart.title)}: no data</p>"
    xs = [x for x, _ in points]
    top = max([y for _, y in points] + ([chart.limit[0]] if chart.limit else []))
    y_ticks = round_ticks(top)
    x = _Scale(*_bounds(min(xs), max(xs)), _LEFT, _WIDTH - _RIGHT)
    y = _Scale(0, y_ticks[-1][0], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        *(_y_tick(y(value), label) for value, label in y_ticks),
        *(_x_tick(x(value), label) for value, label in chart.x_ticks or _x_ticks(x)),
        *([_limit(y(chart.limit[0]), chart.limit[1])] if chart.limit else []),
        *(_line(series, x, y, number) for number, series in enumerate(chart.series)),
        _text(_WIDTH / 2, _HEIGHT - 4, chart.x_label, "middle"),
    ]
    return (
        f"<figure><figcaption>{escape(chart.title)} <small>{escape(chart.y_label)}</small>"
        f'{_legend(chart.series)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(chart.title)}">{"".join(parts)}</svg></figure>'
    )


def round_ticks(top: float) -> list[tuple[float, str]]:
    """Return about five round numbers from 0 to at least `top`, with their labels."""
    if not top > 0:
        return [(0.0, "0"), (1.0, "1")]
    rough = top / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in _NICE if nice * power >= rough * (1 - 1e-9))
    count = math.ceil(top / step - 1e-9)
    return [(index * step, f"{index * step:,.10g}") for index in range(count + 1)]


def _bounds(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _x_ticks(scale: _Scale) -> list[tuple[float, str]]:
    return [tick for tick in round_ticks(scale.high) if scale.low <= tick[0] <= scale.high]


def _y_tick(y: float, label: str) -> str:
    line = f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + _text(_LEFT - 6, y + 4, label, "end")


def _x_tick(x: float, label: str) -> str:
    bottom = _HEIGHT - _BOTTOM
    line = f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
    return line + _text(x, bottom + 16, label, "middle")


def _limit(y: float, label: str) -> str:
    line = f'<line class="limit" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + _text(_WIDTH - _RIGHT, y - 4, label, "end")


def _line(series: Series, x: _Scale, y: _Scale, number: int) -> str:
    path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in series.points)
    marks = series.points if len(series.points) <= _MOST_MARKS else ()
    circles = "".join(
        f'<circle class="s{number}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.5">'
        f"<title>{escape(series.name)}: {b:,.4g}</title></circle>"
        for a, b in marks
    )
    return f'<polyline class="s{number}" points="{path}"/>{circles}'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(series: Sequence[Series]) -> str:
    if len(series) < 2:  # noqa: PLR2004 - one line needs no legend
        return ""
    return "".join(f' <b class="s{n}">{escape(one.name)}</b>' for n, one in enumerate(series))
