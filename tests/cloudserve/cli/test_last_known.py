"""The line that says from when a last known state is."""

from datetime import UTC, datetime, timedelta

import pytest

from cloudserve.cli.last_known import since_line


@pytest.mark.parametrize(
    ("before", "age"),
    [
        (timedelta(seconds=3), "less than a minute ago"),
        (timedelta(minutes=1, seconds=30), "1 minute ago"),
        (timedelta(hours=49), "2 days ago"),
        (timedelta(days=-1), "later than this machine's clock, which was set back"),
    ],
)
def test_a_state_has_an_age_unless_the_clock_was_set_back(before, age):
    assert since_line(datetime.now(UTC) - before).endswith(f" UTC, {age}")
