"""Metric alarms that nobody asked for during several minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cloudserve.local_server.clouds.aws.cloudwatch.metric_store import Metric, MetricStore
from cloudserve.local_server.clouds.aws.cloudwatch_alarms import Alarms
from cloudserve.local_server.clouds.resources import Resources

REGION = "eu-west-1"
RULE = {
    "AlarmName": "a",
    "Namespace": "own",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 2.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}


class SetClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.moment = datetime(2030, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def alarms(tmp_path, clock):
    """Give the alarms of which `a` was breached in the first minute, ten minutes ago."""
    resources = Resources(tmp_path / "clouds.db")
    store = MetricStore(lambda: clock.now().timestamp())
    alarms_of_region = Alarms(resources, store, clock)
    alarms_of_region.put(REGION, RULE)
    store.sample(Metric(REGION, "own", "m")).add(3.0)
    clock.moment += timedelta(minutes=10)
    yield alarms_of_region
    resources.close()


def test_an_alarm_that_was_over_before_a_deployment_does_not_end_it(alarms, clock):
    since = clock.now().timestamp()
    assert alarms.firing(REGION, ["a"], since) == []
    assert alarms.firing(REGION, ["a"], since - 600) == ["a"]


def test_a_state_has_the_time_of_its_minute(alarms, clock):
    (alarm,) = alarms.describe(REGION, {})["MetricAlarms"]
    assert alarm["StateValue"] == "OK"
    # The breached minute is in the evaluation range of three minutes until the fourth.
    assert alarm["StateUpdatedTimestamp"] == (clock.now() - timedelta(minutes=6)).timestamp()
