"""The names of calls: the service and the operation that a request is for."""

import pytest
from cloudserve.local_server.clouds.console.calls import named
from cloudserve.local_server.transport.types import Head, Request

S3 = {"authorization": "AWS4-HMAC-SHA256 Credential=k/20261121/us-east-1/s3/aws4_request"}
IAM = {"authorization": "AWS4-HMAC-SHA256 Credential=k/20261121/us-east-1/iam/aws4_request"}
VERTEX = "/v1/projects/p/locations/us-central1"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "expected"),
    [
        ("POST", "/", "", {"x-amz-target": "SageMaker.CreateModel"}, "SageMaker CreateModel"),
        ("POST", "/", "", {"x-amz-target": "Logs_20140328.Put"}, "CloudWatch Logs Put"),
        ("POST", "/endpoints/e/invocations", "", {}, "SageMaker Runtime InvokeEndpoint"),
        ("POST", "/endpoints/e/async-invocations", "", {}, "SageMaker Runtime InvokeEndpointAsync"),
        ("GET", "/", "", S3, "S3 ListBuckets"),
        ("PUT", "/bucket", "", S3, "S3 CreateBucket"),
        ("PUT", "/bucket/a/b", "", S3, "S3 PutObject"),
        ("POST", "/bucket/a", "uploads", S3, "S3 POST ?uploads"),
        ("GET", "/bucket", "list-type=2&prefix=", S3, "S3 ListObjects"),
        ("GET", "/storage/v1/b/bucket/o/a%2Fb", "", {}, "Cloud Storage GET objects"),
        ("GET", "/storage/v1/b/bucket", "", {}, "Cloud Storage GET buckets"),
        ("GET", f"{VERTEX}/endpoints/e/operations/1", "", {}, "Vertex AI GET operations"),
        ("GET", f"{VERTEX}/endpoints/e/operations", "", {}, "Vertex AI GET operations"),
        ("POST", f"{VERTEX}/endpoints/e:deployModel", "", {}, "Vertex AI endpoints.deployModel"),
        ("GET", "/v1/projects/p/models/m", "", {}, "AI Platform GET models"),
        ("GET", "/", "", {}, "AI Platform GET"),
    ],
)  # fmt: skip
def test_a_call_has_the_names_of_its_api(method, path, query, headers, expected):
    assert " ".join(named(Request(Head(method, path, query, headers)))) == expected


def test_operations_of_the_query_protocol_are_in_the_body():
    request = Request(Head("POST", "/", "", IAM), b"Action=GetRole&Version=2010-05-08&RoleName=r")
    assert named(request) == ("IAM", "GetRole")
