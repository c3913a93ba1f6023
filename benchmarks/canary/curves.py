"""A plot of the curves of `simulation` as SVG: the share of runs that are decided, by request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 860, 420, 70, 60, 50, 260
COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#8d5a97", "#c98a2b", "#4a4a4a", "#17a2a2", "#7f7f00")


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of runs that are decided after so many requests."""

    name: str
    shares: Sequence[float]
    """After request 1, 2, …; non-decreasing."""
    is_dashed: bool = False


def plot(title: str, curves: Sequence[Curve], level: float) -> str:
    """Return an SVG with one curve each, and the level that false alarms stay below."""
    most = max(len(curve.shares) for curve in curves)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">',
        '<g font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="26" font-size="15">{title}</text>',
        *_axes(most),
    ]
    y = _y(level)
    parts.append(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="black" '
        'stroke-dasharray="2 3"/>'
    )
    for number, curve in enumerate(curves):
        parts += _curve(curve, number, most)
    at = TOP + 20 * len(curves) + 14
    parts.append(f'<text x="{WIDTH - RIGHT + 20}" y="{at}">dotted: the level, {level:.0%}</text>')
    return "\n".join([*parts, "</g>", "</svg>\n"])


def _axes(most: int) -> list[str]:
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    for fifth in range(6):
        requests = most * fifth // 5
        x = _x(requests, most)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{requests}</text>'
        )
    at = f'x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 16}"'
    parts.append(f'<text {at} text-anchor="middle">requests to each revision</text>')
    return parts


def _curve(curve: Curve, number: int, most: int) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    step = max(1, len(curve.shares) // 400)
    shown = [(n + 1, curve.shares[n]) for n in range(0, len(curve.shares), step)]
    points = " ".join(f"{_x(n, most):.1f},{_y(share):.1f}" for n, share in shown)
    dashes = ' stroke-dasharray="6 3"' if curve.is_dashed else ""
    line = f'fill="none" stroke="{colour}" stroke-width="1.8"{dashes}'
    x, y = WIDTH - RIGHT + 20, TOP + 20 * number + 10
    return [
        f'<polyline points="{points}" {line}/>',
        f'<polyline points="{x},{y - 4} {x + 22},{y - 4}" {line}/>',
        f'<text x="{x + 28}" y="{y}">{curve.name}</text>',
    ]


def _x(requests: int, most: int) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT) * requests / most


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share
