"""A revision's metrics, read from the offline CloudWatch with boto3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudserve.errors import RemoteError
from cloudserve.release.provider import MeasuredProvider, TrafficCounts
from cloudserve.testing.provider_steps import perform
from tests.adapters.aws.conftest import deploy

NOW = datetime.now(UTC)
SINCE, UNTIL = NOW - timedelta(minutes=10), NOW + timedelta(hours=1)
AN_HOUR = 3600.0


@pytest.fixture
def measured(target, half_plus_two):
    """Give a provider with two revisions on its endpoint, each asked four times, once wrongly."""
    provider = target()
    revisions = [deploy(provider, number, half_plus_two) for number in (1, 2)]
    reading = provider.read("half")
    perform(provider, provider.plan_traffic(reading, revisions[1].id, 10))
    for body in (b'{"instances": [1.0]}',) * 3 + (b'{"instances": ["x"]}',):
        for revision in revisions:
            try:
                provider.predict("half", body, revision.id)
            except RemoteError:
                assert b"x" in body
    return provider, *(revision.id for revision in revisions)


def test_invocations_and_failures_are_counted_for_each_revision(measured):
    provider, *revisions = measured
    assert isinstance(provider, MeasuredProvider)
    for revision in revisions:
        counts = provider.count_traffic("half", revision, SINCE, UNTIL, AN_HOUR)
        assert counts == TrafficCounts(requests=4, errors=1, timed=4, slow=0)
        assert provider.count_traffic("half", revision, SINCE, UNTIL, 0.0).slow == 4
    before = SINCE - timedelta(hours=1)
    assert provider.count_traffic("half", revisions[0], before, SINCE, 1.0) == TrafficCounts()


def test_a_percentile_is_of_all_requests_together(measured):
    provider, revision, _ = measured
    seconds, requests = provider.latency("half", revision, SINCE, UNTIL, 95.0)
    assert requests == 4
    assert 0.0 < seconds < 60.0
    assert provider.count_traffic("half", revision, SINCE, UNTIL, seconds * 1.01).slow == 0
    assert provider.latency("half", "v9-none", SINCE, UNTIL, 95.0) == (0.0, 0)
