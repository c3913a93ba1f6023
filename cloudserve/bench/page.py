"""A self-contained HTML page: tables and charts, light or dark as the reader's system is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from cloudserve.bench.plot import Chart, Series, draw
from cloudserve.bench.result import Interval, Result
from cloudserve.bench.text import summary

_STYLE = """
:root { color-scheme: light dark; --text: #1c1e21; --back: #fff; --soft: #6a7077; --grid: #dfe3e8;
  --s0: #1f6feb; --s1: #d1480f; --s2: #23863a; --limit: #b4231f }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --back: #15181c; --soft: #9aa2ab;
  --grid: #31373e; --s0: #6cb0ff; --s1: #ff9a62; --s2: #6fd086; --limit: #ff7b74 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 1340px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; overflow-wrap: anywhere } small { color: var(--soft) }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .15rem 1.2rem .15rem 0;
  text-align: left; vertical-align: top } th { color: var(--soft); font-weight: 500 }
td { font-variant-numeric: tabular-nums }
ul.notes { border-left: 3px solid var(--limit); padding: .3rem 0 .3rem 2rem }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(32rem, 100%), 1fr));
  gap: 1rem 2rem } figure { margin: 0 } figcaption { font-weight: 600 }
figcaption small { font-weight: 400 } figcaption b { font-weight: 500; margin-left: 1em }
figcaption b::before { content: "\\2014\\00a0" }
svg { width: 100%; height: auto } svg text { font: 11px system-ui, sans-serif; fill: var(--soft) }
.grid { stroke: var(--grid) } .limit { stroke: var(--limit); stroke-dasharray: 5 4 }
polyline { fill: none; stroke-width: 1.8 }
polyline.s0 { stroke: var(--s0) } polyline.s1 { stroke: var(--s1) }
polyline.s2 { stroke: var(--s2) }
circle.s0 { fill: var(--s0) } circle.s1 { fill: var(--s1) } circle.s2 { fill: var(--s2) }
b.s0 { color: var(--s0) } b.s1 { color: var(--s1) } b.s2 { color: var(--s2) }
"""
_SHARE_TICKS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
_MIB = 2**20


def html_page(
    title: str,
    tables: Iterable[Sequence[tuple[str, str]]],
    charts: Iterable[Chart],
    notes: Sequence[str] = (),
) -> str:
    """Return a page of two-column tables, charts and notes."""
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>{''.join(map(_table, tables))}"
        + (f'<ul class="notes">{remarks}</ul>' if notes else "")
        + f"<main>{''.join(map(draw, charts))}</main></body></html>\n"
    )


def result_page(result: Result) -> str:
    """Return the page of a load test."""
    return html_page(f"Load test of {result.url}", [summary(result)], _charts(result), result.notes)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _charts(result: Result) -> list[Chart]:
    intervals = result.intervals
    seconds = "seconds"
    throughput = [Series("answered", [(part.at, part.throughput) for part in intervals])]
    if result.failed:
        throughput.append(Series("failed", _failures(intervals)))
    charts = [
        Chart(
            "Latency by percentile", "share of requests", "ms", [_spectrum(result)], _ticks(result)
        ),
        Chart("Requests", seconds, "per second", throughput),
        Chart("Latency over time", seconds, "ms", [*_latencies(intervals)]),
    ]
    if result.server:
        samples = result.server.samples
        cpu = Series("server", [(one.at, one.cpu) for one in samples])
        memory = Series("server", [(one.at, one.memory / _MIB) for one in samples])
        charts.append(Chart("CPU of the server", seconds, "cores", [cpu]))
        charts.append(Chart("Memory of the server", seconds, "MiB", [memory]))
    return charts


def _failures(intervals: Sequence[Interval]) -> list[tuple[float, float]]:
    starts = (0.0, *(part.at for part in intervals))
    return [
        (part.at, part.failed / (part.at - start))
        for start, part in zip(starts, intervals, strict=False)
        if part.at > start
    ]


def _latencies(intervals: Sequence[Interval]) -> Iterable[Series]:
    yield Series("p50", [(part.at, part.p50) for part in intervals if part.p50 is not None])
    yield Series("p99", [(part.at, part.p99) for part in intervals if part.p99 is not None])


def _spectrum(result: Result) -> Series:
    return Series("latency", [(_distance(share), value) for share, value in result.spectrum])


def _ticks(result: Result) -> list[tuple[float, str]]:
    last = max((share for share, _ in result.spectrum), default=0.0)
    return [(_distance(share), f"{share * 100:g} %") for share in _SHARE_TICKS if share <= last]


def _distance(share: float) -> float:
    """Return the position of a share: one unit for each nine."""
    return -math.log10(1 - share)
