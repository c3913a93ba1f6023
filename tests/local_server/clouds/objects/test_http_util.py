"""Ranges, dates and queries."""

from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.objects.http_util import (
    UndecodableError,
    UnsatisfiableRangeError,
    decode,
    http_date,
    iso_time,
    parse_http_date,
    parse_range,
    query_of,
)
from cloudserve.local_server.transport.types import Head
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 4)),
        ("bytes=2-", (2, 8)),
        ("bytes=-3", (7, 3)),
        ("bytes=-30", (0, 10)),
        ("bytes=8-99", (8, 2)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,4-5", None),
        ("chunks=0-1", None),
        ("bytes=a-b", None),
        ("bytes=0-" + "9" * 5000, None),
        (None, None),
    ],
)
def test_a_range_of_ten_bytes(header, span):
    assert parse_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_past_the_end_cannot_be_satisfied(header):
    with pytest.raises(UnsatisfiableRangeError):
        parse_range(header, 10)


@given(first=st.integers(0, 30), last=st.integers(0, 30), size=st.integers(0, 20))
def test_a_range_is_what_slicing_gives(first, last, size):
    content = bytes(range(size))
    wanted = content[first : last + 1]
    try:
        span = parse_range(f"bytes={first}-{last}", size)
    except UnsatisfiableRangeError:
        assert first >= size
        return
    if span is None:
        assert last < first
    else:
        assert content[span[0] : span[0] + span[1]] == wanted


@given(header=st.text(max_size=20), size=st.integers(0, 100))
def test_any_other_header_asks_for_all_or_cannot_be_satisfied(header, size):
    try:
        span = parse_range("bytes=" + header, size)
    except UnsatisfiableRangeError:
        return
    assert span is None or (span[0] >= 0 and span[1] > 0 and sum(span) <= size)


def test_times_are_written_as_each_place_wants_them():
    assert iso_time(1795260341.5) == "2026-11-21T11:25:41.500Z"
    assert http_date(1795260341.5) == "Sat, 21 Nov 2026 11:25:41 GMT"
    assert parse_http_date("Sat, 21 Nov 2026 11:25:41 GMT") == 1795260341.0
    assert parse_http_date("yesterday") is None


def test_paths_and_queries_that_are_not_utf_8_are_refused():
    with pytest.raises(UndecodableError):
        decode("/b/%ff")
    with pytest.raises(UndecodableError):
        query_of(Head("GET", "/", "prefix=%ff"))
    assert query_of(Head("GET", "/", "uploads&prefix=a%20b+c&")) == {
        "uploads": "",
        "prefix": "a b c",
    }
