"""Pages and charts: well-formed, without other files, with the figures in them."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.bench.histogram import Histogram
from cloudserve.bench.page import result_page
from cloudserve.bench.plot import Chart, Series, draw, round_ticks
from cloudserve.bench.result import (
    GeneratorUse,
    Interval,
    Result,
    ServerUse,
    Usage,
    latency_of,
    spectrum_of,
)

POINTS = st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), min_size=1, max_size=30)
VOID = {"meta"}


def result(count=2000, **changes):
    latencies = Histogram()
    for value in range(count):
        latencies.record(value * 10_000)
    fields = {
        "url": "http://h/v1/models/<m>",
        "api": "REST",
        "model": "<m>",
        "signature": "serving_default",
        "payload_bytes": 23,
        "connections": 4,
        "rate": None,
        "seconds": 2.0,
        "answered": count,
        "throughput": count / 2,
        "failed": 1,
        "failures": {"HTTP 503": 1},
        "waited": 0,
        "latency": latency_of(latencies),
        "spectrum": spectrum_of(latencies),
        "intervals": (Interval(1.0, 900, 1, 1.0, 2.0), Interval(2.0, 0.0, 0, None, None)),
        "generator": GeneratorUse(0.25, None, None),
        "server": ServerUse(1.5, 2**28, 1, (Usage(1.0, 1.5, 2**28),)),
        "idle": 0.5,
        "notes": ("a < b",),
        "interrupted": False,
        "ended": None,
    }
    return Result(**{**fields, **changes})


class Balance(HTMLParser):
    """Checks that every element that is opened is closed in order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, _attributes):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("changes", [{}, {"server": None}, {"latency": None, "spectrum": ()}])
def test_a_page_is_balanced_and_needs_no_other_file(changes):
    page = result_page(result(**changes))
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"<script|<link|src=|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page


def test_a_page_shows_figures_failures_and_notes_escaped():
    page = result_page(result())
    assert "Load test of http://h/v1/models/&lt;m&gt;" in page
    assert "<li>a &lt; b</li>" in page
    assert "<th>  HTTP 503</th><td>1</td>" in page
    assert "1.50 cores, 256 MiB" in page
    assert page.count("<svg") == 5


def test_the_percentile_axis_ends_where_requests_end():
    assert "99.9 %" in result_page(result(2000))
    assert "99.9 %" not in result_page(result(200)).partition("<main>")[2]


def test_a_result_is_a_json_document():
    document = msgspec.json.decode(msgspec.json.encode(result()))
    assert document["latency"]["p50"] == pytest.approx(9.99, rel=0.002)
    assert document["failures"] == {"HTTP 503": 1}


def test_a_spectrum_has_no_share_beyond_the_last_request():
    assert max(share for share, _ in result(100).spectrum) <= 0.99
    assert spectrum_of(Histogram()) == ()


@given(POINTS, POINTS)
def test_every_point_is_inside_the_drawing(ones, others):
    chart = Chart("t", "x", "y", [Series("a", ones), Series("b", others)])
    svg = ET.fromstring(re.search(r"<svg.*</svg>", draw(chart))[0])
    for circle in svg.iter("circle"):
        assert 64 <= float(circle.get("cx")) <= 624
        assert 12 <= float(circle.get("cy")) <= 220


def test_a_limit_is_drawn_even_if_it_is_above_all_points():
    svg = draw(Chart("t", "x", "y", [Series("a", [(0, 1), (1, 2)])], limit=(50, "objective")))
    assert 'class="limit"' in svg
    assert ">50<" in svg


def test_a_chart_without_points_says_so():
    assert draw(Chart("a & b", "x", "y", [Series("a", [])])) == "<p>a &amp; b: no data</p>"


@given(st.floats(1e-6, 1e12))
def test_ticks_are_round_and_reach_the_top(top):
    values = [value for value, _ in round_ticks(top)]
    assert values[0] == 0
    assert values[-1] >= top * (1 - 1e-6)
    assert 3 <= len(values) <= 12
