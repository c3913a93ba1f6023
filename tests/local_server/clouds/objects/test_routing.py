"""Recognition of the API that a request on the shared port is for."""

from __future__ import annotations

import boto3
import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cloudserve.local_server.clouds.objects.routing import is_gcs, is_s3
from cloudserve.local_server.transport.types import Head

KEYS = Credentials("AKIDTEST", "secret")


def head_of(url: str, headers: dict[str, str] | None = None) -> Head:
    path, _, query = url.removeprefix("http://127.0.0.1:1").partition("?")
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    return Head("GET", path, query, lowered)


@pytest.mark.parametrize(("service", "is_for_s3"), [("s3", True), ("sagemaker", False)])
def test_a_signed_request_is_for_the_service_in_its_scope(service, is_for_s3):
    request = AWSRequest("GET", "http://127.0.0.1:1/bkt/k")
    SigV4Auth(KEYS, service, "us-east-1").add_auth(request)
    assert is_s3(head_of(request.url, dict(request.headers))) is is_for_s3


@pytest.mark.parametrize("service", ["s3", "sagemaker"])
def test_a_presigned_url_is_for_the_service_in_its_scope(service):
    request = AWSRequest("GET", "http://127.0.0.1:1/bkt/k")
    S3SigV4QueryAuth(KEYS, service, "us-east-1", expires=60).add_auth(request)
    assert is_s3(head_of(request.url)) is (service == "s3")


def test_a_url_presigned_with_the_older_signature_is_for_s3():
    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    url = client.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "k"})
    client.close()
    assert "AWSAccessKeyId=" in url
    assert is_s3(head_of(url))


@pytest.mark.parametrize(
    "path",
    [
        "/storage/v1/b",
        "/upload/storage/v1/b/b/o",
        "/download/storage/v1/b/b/o/k",
        "/batch/storage/v1",
        "/b",
        "/b/bucket/o/k",
    ],
)
def test_the_json_api_is_known_by_its_paths(path):
    assert is_gcs(Head("GET", path))
    assert not is_s3(Head("GET", path))


@pytest.mark.parametrize("query", ["uploads", "uploads=", "partNumber=1&uploadId=x", "uploadId=x"])
def test_an_xml_upload_is_known_by_its_client_and_query(query):
    assert is_gcs(Head("PUT", "/bkt/k", query, {"x-goog-api-client": "gl-python"}))
    assert not is_gcs(Head("PUT", "/bkt/k", query))


@pytest.mark.parametrize("path", ["/v1/models/m:predict", "/ping", "/storage/v10/b", "/"])
def test_other_requests_are_for_neither(path):
    head = Head("POST", path, "", {"x-goog-api-client": "gl-python"})
    assert not is_gcs(head)
    assert not is_s3(head)
