"""Traffic between two moments: differences of counters, quantiles of buckets."""

import pytest
from cloudserve.local_server.console.traffic import TrafficMeter, quantile
from cloudserve.local_server.monitoring.serving_metrics import ServingMetrics
from hypothesis import given
from hypothesis import strategies as st

BOUNDS = (1.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ((0, 0, 0, 0), 0.5, None),
        ((10, 0, 0, 0), 0.5, 0.5),
        ((0, 10, 0, 0), 0.5, 1.5),
        ((5, 0, 5, 0), 0.99, 3.96),
        ((0, 0, 0, 3), 0.5, 4.0),
    ],
)
def test_quantiles_are_interpolated_in_their_bucket(counts, share, expected):
    assert quantile(BOUNDS, counts, share) == (expected and pytest.approx(expected))


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4), st.floats(0.01, 1))
def test_quantiles_lie_within_the_bounds_and_grow_with_the_share(counts, share):
    found = quantile(BOUNDS, counts, share)
    if sum(counts) == 0:
        assert found is None
    else:
        assert 0 <= found <= BOUNDS[-1]
        assert found <= quantile(BOUNDS, counts, 1.0) + 1e-9


def count(metrics, version, status, seconds, number=1):
    labels = ("m", version, "serving_default", "predict")
    metrics.requests.add((*labels, status), number)
    if status == "OK":
        metrics.seconds.observe(labels, seconds, number)


def test_only_requests_since_the_last_call_count():
    metrics = ServingMetrics()
    count(metrics, 1, "OK", 0.001, 100)
    meter = TrafficMeter(metrics, 10.0)
    assert meter.read(11.0).total.requests == 0
    count(metrics, 1, "OK", 0.001, 3)
    count(metrics, 2, "OK", 0.1)
    count(metrics, 2, "INVALID_ARGUMENT", 0.0, 2)
    traffic = meter.read(13.0)
    assert (traffic.seconds, traffic.total.requests, traffic.total.errors) == (2.0, 6, 2)
    assert traffic.statuses == {"INVALID_ARGUMENT": 2}
    rates = {each.version: each for each in traffic.versions}
    assert (rates["1"].requests, rates["1"].errors) == (3, 0)
    assert rates["1"].millis[0] == pytest.approx(1.0, rel=0.5)
    assert rates["2"].millis[0] == pytest.approx(100.0, rel=0.5)
    assert meter.read(14.0).versions == ()


def test_series_that_were_dropped_in_between_begin_again():
    metrics = ServingMetrics()
    count(metrics, 1, "OK", 0.001, 5)
    meter = TrafficMeter(metrics, 0.0)
    metrics.requests.retain(lambda _: False)
    metrics.seconds.retain(lambda _: False)
    count(metrics, 1, "OK", 0.001, 2)
    traffic = meter.read(1.0)
    assert traffic.total.requests == 2
    assert traffic.total.millis[0] == pytest.approx(1.0, rel=0.5)
