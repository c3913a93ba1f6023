"""A revision's metrics, read from the offline Cloud Monitoring with googleapiclient."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from cloudserve.adapters.google.vertex.deployed_model_metrics import Durations

from cloudserve.errors import UserError
from cloudserve.project import Target
from cloudserve.release.provider import MeasuredProvider, TrafficCounts
from cloudserve.testing.provider_contract import MODEL
from cloudserve.testing.provider_steps import perform, plan, put

NOW = datetime.now(UTC)
SINCE, UNTIL = NOW - timedelta(minutes=10), NOW + timedelta(hours=1)
AN_HOUR = 3600.0
FAILING = 6


@pytest.fixture
def target(bucket):
    return Target("gcp", "vertex", {"bucket": f"gs://{bucket}", "project": f"p-{bucket}"})


@pytest.fixture
def measured(target, vertex, half_plus_two):
    """Give a provider with two revisions that share the traffic, and how often each answered."""
    provider = vertex(target)
    revisions = [put(provider, MODEL, number, half_plus_two) for number in (1, 2)]
    for revision in revisions:
        perform(provider, plan(provider, MODEL, revision))
    perform(provider, provider.plan_traffic(provider.read(MODEL), revisions[1].id, 50))
    answered: Counter[str] = Counter()
    for _ in range(20):
        answered[provider.predict_by_split(MODEL, b'{"instances": [1.0]}').revision] += 1
    for _ in range(FAILING):
        assert provider.predict_by_split(MODEL, b'{"instances": ["x"]}').error
    return provider, answered


def test_responses_and_failures_are_counted_for_each_revision(measured):
    provider, answered = measured
    assert isinstance(provider, MeasuredProvider)
    assert len(answered) == 2
    failures = 0
    for revision, count in answered.items():
        counts = provider.count_traffic(MODEL, revision, SINCE, UNTIL, AN_HOUR)
        assert counts.requests - counts.errors == count
        assert (counts.timed, counts.slow) == (counts.requests, 0)
        assert provider.latency(MODEL, revision, SINCE, UNTIL, 95.0)[1] == counts.requests
        failures += counts.errors
    assert failures == FAILING
    before = SINCE - timedelta(hours=1)
    assert provider.count_traffic(MODEL, revision, before, SINCE, 1.0) == TrafficCounts()
    assert 0.0 < provider.latency(MODEL, revision, SINCE, UNTIL, 95.0)[0] < 60.0
    assert provider.latency(MODEL, "v9-none", SINCE, UNTIL, 95.0) == (0.0, 0)


def test_the_metrics_of_a_real_project_are_not_read_for_an_offline_model(target, vertex, clouds):
    environ = dict(clouds)
    del environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_MONITORING"]
    provider = vertex(target, environ)
    with pytest.raises(UserError, match="stay on this machine") as caught:
        provider.count_traffic(MODEL, "v1-0123456789ab", SINCE, UNTIL, 1.0)
    assert "monitoring" in caught.value.message


EXPLICIT = {"explicitBuckets": {"bounds": [1.0, 10.0, 100.0]}}
LINEAR = {"linearBuckets": {"numFiniteBuckets": 2, "width": 50.0, "offset": 0.0}}


def durations(*distributions):
    total = Durations()
    for options, counts in distributions:
        total.add({"bucketOptions": options, "bucketCounts": [str(count) for count in counts]})
    return total


def test_requests_above_the_next_bound_are_slow():
    total = durations((EXPLICIT, (1, 2, 3, 4)))
    assert (total.count, total.above(10.0), total.above(10.1), total.above(1000.0)) == (10, 7, 4, 0)


def test_a_percentile_is_within_its_bucket():
    total = durations((EXPLICIT, (0, 0, 10)))
    assert total.percentile(50.0) == pytest.approx(55.0)
    assert total.percentile(100.0) == pytest.approx(100.0)
    assert durations((EXPLICIT, (0, 0, 0, 5))).percentile(50.0) == 100.0
    assert Durations().percentile(95.0) == 0.0


def test_distributions_with_other_bounds_are_added():
    total = durations((EXPLICIT, (0, 0, 4)), (LINEAR, (0, 5)), (EXPLICIT, (1,)))
    assert total.count == 10
    assert total.bounds == (0.0, 1.0, 10.0, 50.0, 100.0)
    assert total.above(50.0) == 4
