"""Times of options."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from cloudserve.cli.durations import PastTime


def test_durations_count_back_from_now():
    found = PastTime().convert("10m", None, None)
    assert abs(datetime.now(UTC) - timedelta(minutes=10) - found) < timedelta(minutes=1)
    assert PastTime().convert("1w", None, None) < found


@pytest.mark.parametrize("text", ["2026-11-30T09:00:00+00:00", "2026-11-30T10:00+01:00"])
def test_a_moment_is_taken_as_it_is(text):
    assert PastTime().convert(text, None, None) == datetime(2026, 11, 30, 9, tzinfo=UTC)


@pytest.mark.parametrize("text", ["9999w", "1960-01-01T00:00Z"])
def test_times_before_1970_are_its_beginning(text):
    assert PastTime().convert(text, None, None) == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "10", "m", "-1h", "yesterday", "999999999w", "0001-01-01"])
def test_anything_else_is_refused(text):
    with pytest.raises(click.BadParameter, match="is not a duration such as `10m`"):
        PastTime().convert(text, None, None)
