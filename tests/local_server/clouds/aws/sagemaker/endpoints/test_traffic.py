"""DeploymentConfigs as steps: shares, waits and validation."""

from __future__ import annotations

import math

import pytest
from cloudserve.local_server.clouds.aws.protocol.errors import AwsError
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.traffic import Policy, Step, read_policy
from hypothesis import given
from hypothesis import strategies as st


def blue_green(kind: str, wait: int = 60, **more) -> dict:
    own = {key: more.pop(key) for key in ("CanarySize", "LinearStepSize") if key in more}
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **own}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **more}}


def percent(value: int) -> dict:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def count(value: int) -> dict:
    return {"Type": "INSTANCE_COUNT", "Value": value}


def shares(policy: Policy) -> list[tuple[float, float]]:
    return [(round(step.share, 4), step.seconds) for step in policy.steps]


def test_an_empty_config_shifts_all_at_once():
    assert read_policy({}, 1) == Policy((Step(1.0, 0.0),), 0.0, math.inf, (), (Step(0.0, 0.0),))


def test_all_at_once_bakes_before_the_old_fleet_is_removed():
    policy = read_policy(blue_green("ALL_AT_ONCE", TerminationWaitInSeconds=300), 1)
    assert (shares(policy), policy.bake_seconds) == ([(1.0, 0.0)], 300)


@pytest.mark.parametrize(
    ("size", "instances", "first"),
    [(percent(20), 1, 0.2), (count(1), 4, 0.25), (percent(50), 3, 0.5), (count(1), 1, 1.0)],
)
def test_a_canary_goes_first_and_all_after_it(size, instances, first):
    policy = read_policy(blue_green("CANARY", CanarySize=size), instances)
    expected = [(1.0, 0.0)] if first == 1.0 else [(first, 60), (1.0, 0.0)]
    assert shares(policy) == expected


def test_linear_steps_have_waits_between_them():
    policy = read_policy(blue_green("LINEAR", LinearStepSize=percent(33)), 1)
    assert shares(policy) == [(0.33, 60), (0.66, 60), (0.99, 60), (1.0, 0.0)]


def test_batches_of_a_rolling_update_are_each_watched():
    rolling = {"MaximumBatchSize": percent(50), "WaitIntervalInSeconds": 5}
    policy = read_policy({"RollingUpdatePolicy": rolling}, 4)
    assert shares(policy) == [(0.5, 5), (1.0, 5)]
    assert policy.rollback == (Step(0.0, 0.0),)
    rolling["RollbackMaximumBatchSize"] = percent(25)
    back = read_policy({"RollingUpdatePolicy": rolling}, 4).rollback
    assert back == (Step(0.75, 5), Step(0.5, 5), Step(0.25, 5), Step(0.0, 0.0))


@given(st.integers(10, 50), st.integers(0, 100), st.integers(1, 20))
def test_linear_shares_rise_to_the_whole(size, wait, instances):
    policy = read_policy(blue_green("LINEAR", wait, LinearStepSize=percent(size)), instances)
    results = [step.share for step in policy.steps]
    assert results == sorted(set(results))
    assert results[-1] == 1.0
    assert [step.seconds for step in policy.steps] == [wait] * (len(results) - 1) + [0.0]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (blue_green("CANARY"), "CanarySize is required for CANARY traffic routing."),
        (blue_green("LINEAR"), "LinearStepSize is required for LINEAR traffic routing."),
        (blue_green("CANARY", CanarySize=percent(51)), "CanarySize must be between 1 and 50"),
        (blue_green("LINEAR", LinearStepSize=percent(5)), "LinearStepSize must be between 10 and"),
        (blue_green("CANARY", CanarySize=count(3)), "it is 75."),
        (
            blue_green("CANARY", CanarySize=percent(10), MaximumExecutionTimeoutInSeconds=600)
            | {"RollingUpdatePolicy": {"MaximumBatchSize": percent(10)}},
            "Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy",
        ),
        (
            blue_green(
                "LINEAR",
                300,
                LinearStepSize=percent(25),
                MaximumExecutionTimeoutInSeconds=900,
            ),
            "must be larger than the total waiting time of 900 seconds",
        ),
    ],
)
def test_a_contradictory_policy_is_refused(config, message):
    with pytest.raises(AwsError) as caught:
        read_policy(config, 4)
    assert caught.value.kind == "ValidationException"
    assert message in caught.value.message
