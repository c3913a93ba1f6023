"""A bar chart of servers at 64 requests in flight, beside their limit, as an SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

_WIDTH, _LABELS, _VALUES = 860, 250, 120
_ROW, _HEAD = 20, 34
_LEAST = 100.0
"""The requests per second at the left edge of the logarithmic axis."""
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 } .grid { stroke: #d0d7de }
.limit { fill: #8c959f } .own { fill: #0969da } .peer { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .grid { stroke: #3d444d } .own { fill: #4493f8 } .peer { fill: #db6d28 }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A server, or a limit, with its requests per second."""

    name: str
    rate: float
    kind: str
    """`limit`, `own` or `peer`."""


@dataclass(frozen=True, slots=True)
class Group:
    """The bars of one model over one API."""

    title: str
    bars: Sequence[Bar]


def draw(groups: Sequence[Group]) -> str:
    """Return the chart; its axis of requests per second is logarithmic."""
    most = max(bar.rate for group in groups for bar in group.bars)
    decades = range(int(log10(_LEAST)), int(log10(most)) + 1)
    height = sum(_HEAD + _ROW * len(group.bars) for group in groups) + _HEAD
    namespace, title = "http://www.w3.org/2000/svg", "Requests per second with 64 in flight"
    lines = [
        f'<svg xmlns="{namespace}" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
    ]
    for decade in decades:
        x = _x(10.0**decade, most)
        lines.append(f'<line class="grid" x1="{x:.0f}" x2="{x:.0f}" y1="20" y2="{height - 24}"/>')
        lines.append(
            f'<text x="{x:.0f}" y="{height - 8}" text-anchor="middle">{10**decade:,}</text>'
        )
    y = 8
    for group in groups:
        lines.append(f'<text class="head" x="8" y="{y + 18}">{escape(group.title)}</text>')
        y += _HEAD
        for bar in group.bars:
            lines += _bar(bar, y, most)
            y += _ROW
    return "\n".join([*lines, "</svg>\n"])


def _bar(bar: Bar, y: int, most: float) -> list[str]:
    end = _x(max(bar.rate, _LEAST), most)
    shape = f'x="{_LABELS}" y="{y - 6}" width="{max(end - _LABELS, 1):.0f}" height="12"'
    return [
        f'<text x="24" y="{y + 4}">{escape(bar.name)}</text>',
        f'<rect class="{bar.kind}" {shape}/>',
        f'<text x="{end + 6:.0f}" y="{y + 4}">{bar.rate:,.0f}</text>',
    ]


def _x(rate: float, most: float) -> float:
    share = (log10(rate) - log10(_LEAST)) / (log10(most) - log10(_LEAST))
    return _LABELS + share * (_WIDTH - _LABELS - _VALUES)
