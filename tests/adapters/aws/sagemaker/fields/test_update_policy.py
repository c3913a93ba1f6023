"""A target's update policy as SageMaker's `DeploymentConfig`: valid, with time for its waits."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.validate import ParamValidator
from cloudserve.adapters.aws.sagemaker.fields.endpoint_config import LONGEST, policy, waits
from cloudserve.adapters.aws.sagemaker.fields.options import Options, Update
from cloudserve.adapters.aws.sagemaker.fields.rules import check_options
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.traffic import read_policy
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudserve.errors import ProjectError

SERVICE = botocore.session.get_session().get_service_model("sagemaker")


def options(**fields):
    role = "arn:aws:iam::000000000000:role/serving"
    return Options(bucket="s3://some-bucket", role_arn=role, region="eu-west-1", **fields)


@pytest.mark.parametrize(
    ("update", "key", "size", "seconds"),
    [
        (Update.ALL_AT_ONCE, "BlueGreenUpdatePolicy", None, 30),
        (Update.CANARY, "BlueGreenUpdatePolicy", "CanarySize", 90),
        (Update.LINEAR, "BlueGreenUpdatePolicy", "LinearStepSize", 270),
        (Update.ROLLING, "RollingUpdatePolicy", "MaximumBatchSize", 300),
    ],
)
def test_a_policy_has_time_for_its_waits_and_names_the_alarms(update, key, size, seconds):
    chosen = options(
        update=update,
        update_percent=20,
        update_wait_seconds=60,
        update_bake_seconds=30,
        alarms="errors, slow",
    )
    result = policy(chosen)
    assert result["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": "errors"}, {"AlarmName": "slow"}]
    }
    assert result[key]["MaximumExecutionTimeoutInSeconds"] > waits(chosen) == seconds
    if size:
        routing = result[key].get("TrafficRoutingConfiguration", result[key])
        assert routing[size] == {"Type": "CAPACITY_PERCENT", "Value": 20}


@settings(max_examples=60)
@given(
    update=st.sampled_from([update for update in Update if update]),
    percent=st.integers(1, 50),
    wait=st.integers(0, 3600),
    bake=st.integers(0, 3600),
    count=st.integers(1, 40),
)
def test_update_policies_that_pass_the_checks_are_valid_requests(
    update, percent, wait, bake, count
):
    chosen = options(
        update=update,
        update_percent=percent,
        update_wait_seconds=wait,
        update_bake_seconds=bake,
        instance_count=count,
        timeout_seconds=99_999,
    )
    try:
        check_options(chosen, "targets.aws.{}".format)
    except ProjectError:
        return
    result = policy(chosen)
    report = ParamValidator().validate(result, SERVICE.shape_for("DeploymentConfig"))
    assert not report.has_errors(), report.generate_report()
    read = read_policy(result, count)
    assert read.limit_seconds <= LONGEST
    assert waits(chosen) == read.bake_seconds + sum(step.seconds for step in read.steps)


def test_no_policy_sends_no_deployment_config():
    assert policy(options()) == {}
