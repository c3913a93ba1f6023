"""Quotas of instances: endpoints above them are refused, as an account refuses them."""

from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.aws.quotas import read_limits

from cloudserve.errors import UserError
from tests.local_server.clouds.aws.conftest import Aws, refused


@pytest.fixture(scope="module")
def aws(models, start_emulators, poll_until) -> Aws:
    running = start_emulators(None, limits=("ml.m5.large=3", "ml.g5.xlarge=0"))
    running.upload("models", "", models)
    aws = Aws(running, poll_until)
    aws.add_model("double", "s3://models/double/")
    for count in (1, 2, 3):
        aws.add_config(f"of-{count}", aws.variant("main", "double", InitialInstanceCount=count))
    return aws


@pytest.fixture
def endpoint(aws, fresh):
    """Give an endpoint of two instances, whose deletion frees them."""
    aws.add_endpoint(fresh, "of-2")
    yield fresh
    aws.settled(fresh)
    aws.sm.delete_endpoint(EndpointName=fresh)
    aws.sm.get_waiter("endpoint_deleted").wait(EndpointName=fresh, WaiterConfig={"Delay": 0})


def text(limit: int, used: int, delta: int, kind: str = "ml.m5.large") -> str:
    return (
        f"The account-level service limit '{kind} for endpoint usage' is {limit} Instances, with"
        f" current utilization of {used} Instances and a request delta of {delta} Instances. Please"
        " use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is"
        " not available, contact AWS support to request an increase for this quota."
    )


def test_instances_of_all_endpoints_count(aws, endpoint, fresh):
    error = refused(
        aws.sm.create_endpoint, EndpointName=f"{fresh}-more", EndpointConfigName="of-2"
    )["Error"]
    assert (error["Code"], error["Message"]) == ("ResourceLimitExceeded", text(3, 2, 2))
    assert [each["EndpointName"] for each in aws.sm.list_endpoints()["Endpoints"]] == [endpoint]
    other = {"ProductionVariants": [aws.variant("v", "double", InstanceType="ml.g5.xlarge")]}
    aws.sm.create_endpoint_config(EndpointConfigName=f"{fresh}-g5", **other)
    names = {"EndpointName": f"{fresh}-more", "EndpointConfigName": f"{fresh}-g5"}
    error = refused(aws.sm.create_endpoint, **names)["Error"]
    assert error["Message"] == text(0, 0, 1, "ml.g5.xlarge")


def test_an_update_needs_its_new_instances_beside_the_old_ones(aws, endpoint):
    names = {"EndpointName": endpoint, "EndpointConfigName": "of-2"}
    assert refused(aws.sm.update_endpoint, **names)["Error"]["Message"] == text(3, 2, 2)
    rolling = {
        "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 0,
        "MaximumExecutionTimeoutInSeconds": 600,
    }
    aws.sm.update_endpoint(**names, DeploymentConfig={"RollingUpdatePolicy": rolling})
    assert aws.settled(endpoint)["EndpointStatus"] == "InService"


def test_only_added_instances_are_asked_for(aws, endpoint):
    def scale(count: int) -> None:
        change = {"VariantName": "main", "DesiredInstanceCount": count}
        aws.sm.update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[change]
        )
        aws.settled(endpoint)

    assert refused(scale, 4)["Error"]["Message"] == text(3, 2, 2)
    scale(3)
    scale(1)
    variant = aws.describe(endpoint)["ProductionVariants"][0]
    assert variant["CurrentInstanceCount"] == 1


def test_service_quotas_lists_them(aws):
    client = aws.running.aws("service-quotas")
    pages = client.get_paginator("list_service_quotas").paginate(
        ServiceCode="sagemaker", PaginationConfig={"PageSize": 1}
    )
    assert {each["QuotaName"]: each["Value"] for page in pages for each in page["Quotas"]} == {
        "ml.m5.large for endpoint usage": 3.0,
        "ml.g5.xlarge for endpoint usage": 0.0,
    }
    with pytest.raises(client.exceptions.InvalidPaginationTokenException):
        client.list_service_quotas(ServiceCode="sagemaker", NextToken="elsewhere")
    other = refused(client.list_service_quotas, ServiceCode="ec2")["Error"]
    assert "Quotas of ec2 are not available offline" in other["Message"]


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("ml.m5.large", "is not a limit"),
        ("ml.m5.large=-1", "is not a limit"),
        ("ml.m5.large=two", "is not a limit"),
        ("ml.m5.lage=2", "is not an instance type of endpoints"),
    ],
)
def test_wrong_limits_are_refused(limit, words):
    with pytest.raises(UserError, match=words):
        read_limits([limit])
