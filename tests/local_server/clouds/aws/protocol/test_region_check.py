"""Requests for regions that do not exist, which no client could send to the cloud."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.protocol import region_check


def client(clouds, service, region):
    keys = {"aws_access_key_id": "cloudserve", "aws_secret_access_key": "cloudserve"}
    return boto3.client(service, endpoint_url=clouds.url, region_name=region, **keys)


CALLS = {
    "sagemaker": lambda c: c.list_models(),
    "sagemaker-runtime": lambda c: c.invoke_endpoint(EndpointName="half", Body=b"1"),
    "logs": lambda c: c.describe_log_groups(),
    "application-autoscaling": lambda c: c.describe_scalable_targets(ServiceNamespace="sagemaker"),
}


@pytest.mark.parametrize("service", CALLS)
def test_a_service_says_that_the_region_is_not_valid(clouds, service):
    """The text is that of aws/aws-sdk-ruby#508."""
    with pytest.raises(ClientError) as error:
        CALLS[service](client(clouds, service, "eu-west-9"))
    assert error.value.response["Error"] == {
        "Code": "InvalidSignatureException",
        "Message": "Credential should be scoped to a valid region, not 'eu-west-9'.",
    }
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_sts_answers_in_its_older_protocol(clouds):
    with pytest.raises(ClientError, match=r"SignatureDoesNotMatch.*not 'eu-west-9'"):
        client(clouds, "sts", "eu-west-9").get_caller_identity()


def test_s3_names_the_region_and_creates_no_bucket(clouds, fresh):
    s3 = client(clouds, "s3", "eu-west-9")
    place = {"LocationConstraint": "eu-west-9"}
    with pytest.raises(ClientError) as error:
        s3.create_bucket(Bucket=fresh, CreateBucketConfiguration=place)
    assert error.value.response["Error"]["Code"] == "AuthorizationHeaderMalformed"
    assert "the region 'eu-west-9' is wrong" in error.value.response["Error"]["Message"]
    buckets = client(clouds, "s3", "us-east-1").list_buckets()["Buckets"]
    assert fresh not in {bucket["Name"] for bucket in buckets}


@pytest.mark.parametrize("region", ["eu-west-1", "mx-central-1", "cn-north-1", "us-gov-west-1"])
def test_regions_of_every_partition_are_answered(clouds, region):
    assert client(clouds, "sagemaker", region).list_models()["Models"] == []


@pytest.fixture
def no_botocore(monkeypatch):
    monkeypatch.setattr(region_check, "find_spec", lambda _: None)
    region_check._regions.cache_clear()
    yield
    region_check._regions.cache_clear()


@pytest.mark.usefixtures("no_botocore")
def test_without_botocore_no_region_is_refused():
    assert region_check.exists("us-east-1")
