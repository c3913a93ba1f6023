"""Buckets of several regions, and requests that are signed for another one than their bucket's."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.objects.s3.app import S3App
from cloudserve.local_server.clouds.objects.s3.callers.anonymous import Checks

KNOWN = {"us-east-1", "eu-west-1", "eu-central-1"}


@pytest.fixture(scope="module")
def port(served, serve) -> int:
    return serve(S3App(served, checks=Checks(knows_region=KNOWN.__contains__)))


@pytest.fixture(scope="module")
def client(port) -> Iterator[Callable[[str], Any]]:
    """Give a function that returns boto3's client of a region."""
    opened = []

    def make(region: str) -> Any:
        made = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name=region,
            config=Config(
                retries={"max_attempts": 1}, tcp_keepalive=False, signature_version="s3v4"
            ),
        )
        opened.append(made)
        return made

    yield make
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def irish(client) -> str:
    """Give a bucket in Ireland that has the object `a`."""
    there = client("eu-west-1")
    there.create_bucket(
        Bucket="irish", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    there.put_object(Bucket="irish", Key="a", Body=b"hello")
    return "irish"


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"]


def statuses(client: Any, operation: str) -> list[int]:
    """Return a list to which the status of each response is added."""
    seen: list[int] = []
    client.meta.events.register(
        f"response-received.s3.{operation}",
        lambda response_dict, **_: seen.append(response_dict["status_code"]),
    )
    return seen


def test_botocore_is_redirected_to_the_buckets_region(client, irish):
    here = client("us-east-1")
    seen = statuses(here, "GetObject")
    assert here.get_object(Bucket=irish, Key="a")["Body"].read() == b"hello"
    assert seen == [301, 200]
    assert client("eu-central-1").head_object(Bucket=irish, Key="a")["ContentLength"] == 5
    assert client("us-east-1").head_bucket(Bucket=irish)["BucketRegion"] == "eu-west-1"
    assert client("us-east-1").get_bucket_location(Bucket=irish)["LocationConstraint"] == (
        "eu-west-1"
    )


def test_other_clients_get_the_redirect(client, irish):
    url = client("us-east-1").generate_presigned_url("get_object", {"Bucket": irish, "Key": "a"})
    with pytest.raises(HTTPError) as caught:
        urlopen(url)
    error = ET.fromstring(caught.value.read())
    assert (caught.value.status, error.findtext("Code")) == (301, "PermanentRedirect")
    assert error.findtext("Endpoint") == "irish.s3.eu-west-1.amazonaws.com"
    assert caught.value.headers["x-amz-bucket-region"] == "eu-west-1"


@pytest.mark.parametrize(
    ("host", "signature", "status", "code"),
    [
        ("irish.s3.amazonaws.com", "header", 400, "AuthorizationHeaderMalformed"),
        ("irish.s3.amazonaws.com", "query", 400, "AuthorizationQueryParametersError"),
        ("irish.s3.us-east-1.amazonaws.com", "header", 301, "PermanentRedirect"),
        ("s3.amazonaws.com", "header", 301, "PermanentRedirect"),
        ("irish.s3-accelerate.amazonaws.com", "header", 400, "InvalidRequest"),
        ("irish.s3-accelerate.dualstack.amazonaws.com", "query", 400, "InvalidRequest"),
    ],
)
def test_the_hosts_of_s3_answer_each_in_their_way(port, irish, host, signature, status, code):
    scope = "key/20260101/us-east-1/s3/aws4_request"
    path = "/a" if host.startswith(irish) else f"/{irish}/a"
    headers = {"Host": host}
    if signature == "header":
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host"
    else:
        path += (
            f"?X-Amz-Credential={scope.replace('/', '%2F')}&X-Amz-Date=20990101T000000Z"
            "&X-Amz-Expires=60&X-Amz-Signature=0"
        )
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    error = ET.fromstring(response.read())
    connection.close()
    assert (response.status, error.findtext("Code")) == (status, code)
    assert (error.findtext("Region") or "eu-west-1") == "eu-west-1"


@pytest.mark.parametrize("constraint", ["mars-1", "us-east-1", ""])
def test_a_region_that_does_not_exist_is_no_constraint(client, constraint):
    configuration = {"LocationConstraint": constraint}
    here = client("us-east-1")
    assert (
        code_of(lambda: here.create_bucket(Bucket="mars", CreateBucketConfiguration=configuration))
        == "InvalidLocationConstraint"
    )


def test_the_older_name_of_ireland_is_one(client):
    there = client("eu-west-1")
    there.create_bucket(Bucket="older", CreateBucketConfiguration={"LocationConstraint": "EU"})
    there.put_object(Bucket="older", Key="a", Body=b"")
    assert there.head_bucket(Bucket="older")["BucketRegion"] == "eu-west-1"


def test_an_existing_bucket_of_another_region_is_an_error_in_us_east_1_too(client, irish):
    here = client("us-east-1")
    assert code_of(lambda: here.create_bucket(Bucket=irish)) == "BucketAlreadyOwnedByYou"


@pytest.mark.parametrize(("region", "status"), [("eu-central-1", 400), ("eu-west-1", 200)])
def test_urls_of_signature_version_2_are_for_older_regions(port, client, region, status):
    bucket, here = f"v2-{region}", client(region)
    here.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    here.put_object(Bucket=bucket, Key="a", Body=b"hello")
    old = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
        config=Config(signature_version="s3"),
    )
    url = old.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a"})
    old.close()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", url.partition(str(port))[2])
    answer = connection.getresponse()
    assert (answer.status, b"AWS4-HMAC-SHA256" in answer.read()) == (status, status != 200)
    connection.close()
