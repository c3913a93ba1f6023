"""Updates that shift traffic by their policy, and their rollbacks, on a test clock."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

OLD, NEW = b'{\n    "predictions": [2.0]\n}', b'{\n    "predictions": [3.0]\n}'
CALLS = 200


def canary(size: int, wait: int, **more) -> dict:
    routing = {
        "Type": "CANARY",
        "WaitIntervalInSeconds": wait,
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": size},
    }
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **more}}


def linear(size: int, wait: int) -> dict:
    step = {"Type": "CAPACITY_PERCENT", "Value": size}
    routing = {"Type": "LINEAR", "WaitIntervalInSeconds": wait, "LinearStepSize": step}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}


def guarded(policy: dict, *alarms: str) -> dict:
    return policy | {
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm} for alarm in alarms]}
    }


@pytest.fixture
def name(timed, fresh):
    """Provide an endpoint that doubles, with a configuration `…-new` that triples."""
    timed.add_model(f"{fresh}-2", "s3://models/double/")
    timed.add_model(f"{fresh}-3", "s3://models/triple/")
    timed.add_config(fresh, timed.variant("main", f"{fresh}-2"))
    timed.add_config(f"{fresh}-new", timed.variant("main", f"{fresh}-3"))
    timed.add_endpoint(fresh)
    return fresh


@pytest.fixture
def update(timed, name):
    def start(policy: dict | None = None, **more):
        arguments = more | ({"DeploymentConfig": policy} if policy else {})
        timed.sm.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-new", **arguments)

    return start


@pytest.fixture
def alarm(timed, fresh):
    """Provide the name of an alarm that is OK."""
    timed.cloudwatch.put_metric_alarm(
        AlarmName=f"{fresh}-alarm",
        MetricName="Invocation5XXErrors",
        Namespace="AWS/SageMaker",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    set_alarm(timed, f"{fresh}-alarm", "OK")
    return f"{fresh}-alarm"


def set_alarm(timed, alarm: str, state: str) -> None:
    timed.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="the test")


def split(timed, name: str) -> Counter:
    with ThreadPoolExecutor(4) as pool:
        return Counter(pool.map(lambda _: timed.invoke(name), range(CALLS)))


def is_about(count: int, share: float) -> bool:
    """Return whether a count of CALLS is within four standard deviations of its share."""
    return abs(count - CALLS * share) <= 4 * (CALLS * share * (1 - share)) ** 0.5


class TestForward:
    def test_a_canary_gets_its_share_and_all_after_the_wait(self, timed, clock, name, update):
        update(canary(20, 600))
        clock.until_someone_waits(600)
        during = timed.describe(name)
        assert during["EndpointStatus"] == "Updating"
        assert during["EndpointConfigName"] == name
        pending = during["PendingDeploymentSummary"]
        assert pending["EndpointConfigName"] == f"{name}-new"
        assert pending["ProductionVariants"][0]["VariantStatus"][0]["Status"] == "Baking"
        assert is_about(split(timed, name)[NEW], 0.2)
        clock.advance(600)
        after = timed.settled(name)
        assert after["EndpointStatus"] == "InService"
        assert after["EndpointConfigName"] == f"{name}-new"
        assert "PendingDeploymentSummary" not in after
        assert after["LastDeploymentConfig"] == canary(20, 600)
        assert split(timed, name) == {NEW: CALLS}

    def test_linear_steps_follow_each_other(self, timed, clock, name, update):
        update(linear(50, 100))
        clock.until_someone_waits(100)
        assert is_about(split(timed, name)[NEW], 0.5)
        clock.advance(100)
        assert timed.settled(name)["EndpointConfigName"] == f"{name}-new"

    def test_a_rolling_update_watches_each_batch(self, timed, clock, name, update):
        size = {"Type": "CAPACITY_PERCENT", "Value": 50}
        policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": 50}
        update({"RollingUpdatePolicy": policy})
        clock.until_someone_waits(50)
        assert is_about(split(timed, name)[NEW], 0.5)
        clock.advance(50)
        clock.until_someone_waits(50)
        assert timed.describe(name)["EndpointStatus"] == "Updating"
        assert split(timed, name) == {NEW: CALLS}
        clock.advance(50)
        assert timed.settled(name)["EndpointStatus"] == "InService"

    def test_the_old_fleet_is_kept_for_the_termination_wait(self, timed, clock, name, update):
        update(canary(50, 0, TerminationWaitInSeconds=77))
        clock.until_someone_waits(77)
        assert split(timed, name) == {NEW: CALLS}
        assert timed.describe(name)["EndpointStatus"] == "Updating"
        clock.advance(77)
        assert timed.settled(name)["EndpointConfigName"] == f"{name}-new"

    def test_without_a_policy_all_traffic_shifts_at_once(self, timed, name, update):
        update()
        assert timed.settled(name)["EndpointConfigName"] == f"{name}-new"
        assert "LastDeploymentConfig" not in timed.describe(name)

    def test_the_last_policy_is_used_again_when_it_is_retained(self, timed, clock, name, update):
        update(canary(20, 60))
        clock.until_someone_waits(60)
        clock.advance(60)
        timed.settled(name)
        timed.sm.update_endpoint(
            EndpointName=name, EndpointConfigName=name, RetainDeploymentConfig=True
        )
        clock.until_someone_waits(60)
        clock.advance(60)
        assert timed.settled(name)["EndpointConfigName"] == name

    def test_no_request_fails_while_a_canary_takes_over(self, timed, clock, name, update):
        over = threading.Event()

        def call(_) -> Counter:
            observed = Counter()
            while not over.is_set():
                observed[timed.invoke(name)] += 1
            return observed

        with ThreadPoolExecutor(6) as pool:
            calling = pool.map(call, range(6))
            try:
                update(canary(30, 120, TerminationWaitInSeconds=30))
                for seconds in (120, 30):
                    clock.until_someone_waits(seconds)
                    split(timed, name)
                    clock.advance(seconds)
                assert timed.settled(name)["EndpointStatus"] == "InService"
                split(timed, name)
            finally:
                over.set()
            answers = sum(calling, Counter())
        assert set(answers) == {OLD, NEW}

    def test_an_updating_endpoint_rejects_other_changes(self, timed, clock, name, update):
        update(canary(20, 90))
        clock.until_someone_waits(90)
        for call, more in (
            (timed.sm.delete_endpoint, {}),
            (timed.sm.update_endpoint, {"EndpointConfigName": name}),
        ):
            with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
                call(EndpointName=name, **more)
        clock.advance(90)
        timed.settled(name)


class TestBack:
    def test_an_alarm_rolls_a_canary_back_immediately(self, timed, clock, name, update, alarm):
        update(guarded(canary(20, 600), alarm))
        clock.until_someone_waits(600)
        set_alarm(timed, alarm, "ALARM")
        after = timed.settled(name)
        assert after["EndpointStatus"] == "InService"
        assert after["EndpointConfigName"] == name
        assert after["FailureReason"] == (
            f"One or more configured alarm(s) went into ALARM state: {alarm}"
        )
        assert split(timed, name) == {OLD: CALLS}

    def test_an_alarm_counts_until_the_old_fleet_is_gone(self, timed, clock, name, update, alarm):
        update(guarded(canary(20, 0, TerminationWaitInSeconds=60), alarm))
        clock.until_someone_waits(60)
        set_alarm(timed, alarm, "ALARM")
        assert timed.settled(name)["EndpointConfigName"] == name
        assert split(timed, name) == {OLD: CALLS}

    def test_a_rolling_update_goes_back_in_batches(self, timed, clock, name, update, alarm):
        size = {"Type": "CAPACITY_PERCENT", "Value": 50}
        policy = {
            "MaximumBatchSize": size,
            "WaitIntervalInSeconds": 44,
            "RollbackMaximumBatchSize": size,
        }
        update(guarded({"RollingUpdatePolicy": policy}, alarm))
        clock.until_someone_waits(44)
        clock.advance(44)
        clock.until_someone_waits(44)
        set_alarm(timed, alarm, "ALARM")
        timed.poll(
            lambda: timed.describe(name),
            lambda answer: answer["EndpointStatus"] == "RollingBack",
        )
        clock.until_someone_waits(44)
        assert is_about(split(timed, name)[NEW], 0.5)
        clock.advance(44)
        assert timed.settled(name)["EndpointStatus"] == "InService"
        assert split(timed, name) == {OLD: CALLS}

    def test_a_container_that_does_not_start_changes_nothing(self, timed, name, fresh):
        timed.add_model(f"{fresh}-bad", "s3://models/broken/")
        timed.add_config(f"{fresh}-bad", timed.variant("main", f"{fresh}-bad"))
        timed.sm.update_endpoint(
            EndpointName=name, EndpointConfigName=f"{fresh}-bad", DeploymentConfig=canary(10, 600)
        )
        after = timed.settled(name)
        assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", name)
        assert "did not pass the ping health check" in after["FailureReason"]
        assert split(timed, name) == {OLD: CALLS}

    def test_an_update_after_a_failed_one_clears_the_reason(
        self, timed, clock, name, update, alarm
    ):
        update(guarded(canary(20, 600), alarm))
        clock.until_someone_waits(600)
        set_alarm(timed, alarm, "ALARM")
        timed.settled(name)
        update()
        after = timed.settled(name)
        assert "FailureReason" not in after
        assert after["EndpointConfigName"] == f"{name}-new"


class TestRefusals:
    def test_alarms_must_exist_and_be_ok(self, timed, name, update, alarm):
        with pytest.raises(ClientError, match='Could not find CloudWatch alarm "nobody"'):
            update(guarded(canary(10, 10), "nobody"))
        set_alarm(timed, alarm, "ALARM")
        with pytest.raises(ClientError, match="is in ALARM state"):
            update(guarded(canary(10, 10), alarm))
        assert timed.describe(name)["EndpointStatus"] == "InService"

    def test_a_policy_that_contradicts_itself_starts_nothing(self, timed, name, update):
        with pytest.raises(ClientError, match="CanarySize must be between 1 and 50 percent"):
            update(canary(60, 10))
        assert timed.describe(name)["EndpointStatus"] == "InService"


class TestAlarms:
    def test_alarms_are_described_and_deleted(self, timed, alarm):
        result = timed.cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
        assert [a["StateValue"] for a in result] == ["OK"]
        assert result[0]["MetricName"] == "Invocation5XXErrors"
        timed.cloudwatch.delete_alarms(AlarmNames=[alarm])
        assert timed.cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"] == []

    def test_a_missing_alarm(self, timed):
        with pytest.raises(timed.cloudwatch.exceptions.ResourceNotFound):
            set_alarm(timed, "nobody", "OK")

    def test_an_operation_that_is_not_offline(self, timed):
        with pytest.raises(ClientError, match="is not available offline"):
            timed.cloudwatch.list_dashboards()


@pytest.fixture
def by_errors(timed, clock, name, fresh):
    """Provide an alarm that fires if the endpoint has a model error in a minute."""
    clock.advance(-clock.now().timestamp() % 60)
    timed.cloudwatch.put_metric_alarm(
        AlarmName=f"{fresh}-errors",
        Namespace="AWS/SageMaker",
        MetricName="InvocationModelErrors",
        Dimensions=[
            {"Name": "EndpointName", "Value": name},
            {"Name": "VariantName", "Value": "main"},
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    return f"{fresh}-errors"


def state_of(timed, alarm: str) -> tuple[str, str]:
    (description,) = timed.cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return description["StateValue"], description["StateReason"]


def fail_once(timed, name: str) -> None:
    with pytest.raises(ClientError, match="ModelError"):
        timed.invoke(name, b'{"nothing": true}')


class TestAlarmsByMetrics:
    def test_an_alarm_during_the_baking_period_rolls_the_canary_back(
        self, timed, clock, name, update, by_errors
    ):
        update(guarded(canary(20, 600), by_errors))
        clock.until_someone_waits(600)
        timed.invoke(name)
        clock.advance(60)
        clock.until_someone_waits(60)
        assert timed.describe(name)["EndpointStatus"] == "Updating"
        fail_once(timed, name)
        clock.advance(60)
        after = timed.settled(name)
        assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", name)
        assert after["FailureReason"].endswith(f"went into ALARM state: {by_errors}")
        assert split(timed, name) == {OLD: CALLS}
        state, reason = state_of(timed, by_errors)
        assert state == "ALARM"
        assert "1 datapoint was greater than the threshold (0.0): [1.0 (" in reason

    def test_an_alarm_between_two_looks_rolls_the_canary_back(
        self, timed, clock, name, update, by_errors
    ):
        update(guarded(canary(20, 600), by_errors))
        clock.until_someone_waits(600)
        fail_once(timed, name)
        clock.advance(600)
        assert timed.settled(name)["EndpointConfigName"] == name
        assert state_of(timed, by_errors)[0] == "OK"

    def test_without_errors_the_update_goes_through(self, timed, clock, name, update, by_errors):
        update(guarded(canary(20, 600), by_errors))
        clock.until_someone_waits(600)
        split(timed, name)
        clock.advance(600)
        assert timed.settled(name)["EndpointConfigName"] == f"{name}-new"

    def test_a_firing_one_starts_no_update_and_goes_back_by_itself(
        self, timed, clock, name, update, by_errors
    ):
        assert state_of(timed, by_errors)[0] == "INSUFFICIENT_DATA"
        fail_once(timed, name)
        clock.advance(60)
        with pytest.raises(ClientError, match="is in ALARM state"):
            update(guarded(canary(20, 600), by_errors))
        clock.advance(180)
        assert state_of(timed, by_errors)[0] == "OK"

    def test_a_state_that_was_set_lasts_until_the_next_minute(self, timed, clock, by_errors):
        set_alarm(timed, by_errors, "ALARM")
        assert state_of(timed, by_errors) == ("ALARM", "the test")
        clock.advance(60)
        assert state_of(timed, by_errors)[0] == "OK"

    def test_composite_alarms_and_metric_math_are_refused_by_name(self, timed):
        with pytest.raises(ClientError, match="PutCompositeAlarm is not available offline"):
            timed.cloudwatch.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(a)")
        with pytest.raises(ClientError, match="Metrics of PutMetricAlarm is not available"):
            timed.cloudwatch.put_metric_alarm(
                AlarmName="m",
                EvaluationPeriods=1,
                Threshold=1.0,
                ComparisonOperator="GreaterThanThreshold",
                Metrics=[{"Id": "e", "Expression": "m1/m2"}],
            )
        assert timed.cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["MetricAlarms"] == []
