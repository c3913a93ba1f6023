"""A failure inside an application is its service's own error, readable by its clients."""

from __future__ import annotations

import asyncio

import pytest
from cloudserve.local_server.clouds.aws.protocol.errors import JSON_1_1
from cloudserve.local_server.clouds.aws.protocol.json_app import JsonApp
from cloudserve.local_server.clouds.aws.protocol.query_app import QueryApp
from cloudserve.local_server.clouds.aws.protocol.unsupported_services import UnsupportedServicesApp
from cloudserve.local_server.clouds.aws.runtime.app import RuntimeApp
from cloudserve.local_server.clouds.google.ai_platform.app import AiPlatform
from cloudserve.local_server.clouds.google.oauth import OAuth
from cloudserve.local_server.clouds.objects.gcs.app import GcsApp
from cloudserve.local_server.clouds.objects.s3.app import S3App
from cloudserve.local_server.clouds.router import Route, Router
from cloudserve.local_server.clouds.vertex.app import VertexAi
from cloudserve.local_server.transport.types import ClientGoneError, Head, Request, Response


class SageMaker(JsonApp):
    """SageMaker's control plane without what it is made of."""

    _content_type = JSON_1_1


def broken(face: type, error: Exception) -> Router:
    """Return a router to an application of this kind whose every request fails."""

    class Broken(face):
        def __init__(self) -> None:
            """Need none of the parts: nothing is reached."""

        async def handle(self, request: Request) -> Response:
            raise error

    return Router((Route(lambda _: True, Broken()),))


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        (SageMaker, b'"__type": "InternalFailure"'),
        (RuntimeApp, b'"Message": '),
        (QueryApp, b"<Code>InternalFailure</Code>"),
        (UnsupportedServicesApp, b"<Code>InternalFailure</Code>"),
        (S3App, b"<Code>InternalError</Code>"),
        (GcsApp, b'"reason":"backendError"'),
        (AiPlatform, b'"status": "INTERNAL"'),
        (VertexAi, b'"status": "INTERNAL"'),
        (OAuth, b'"error": "server_error"'),
    ],
)
def test_a_defect_is_a_500_in_the_form_of_the_service(face, expected, caplog):
    request = Request(Head("POST", "/path", "X-Amz-Signature=secret"))
    answer = asyncio.run(broken(face, ZeroDivisionError("a defect")).handle(request))
    assert answer.status == 500
    assert expected in answer.body
    assert "a defect" in caplog.text
    assert "secret" not in caplog.text


def test_a_disconnected_client_is_not_a_server_error(caplog):
    with pytest.raises(ClientGoneError):
        asyncio.run(broken(OAuth, ClientGoneError()).handle(Request(Head("POST", "/token"))))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("cognito-idp", lambda client: client.list_user_pools(MaxResults=1)),
        ("dynamodb", lambda client: client.list_tables()),
        ("lambda", lambda client: client.list_functions()),
        ("ec2", lambda client: client.describe_instances()),
        ("cloudwatch", lambda client: client.list_dashboards()),
        ("logs", lambda client: client.describe_queries()),
        ("sagemaker-featurestore-runtime", lambda client: client.batch_get_record(Identifiers=[
            {"FeatureGroupName": "g", "RecordIdentifiersValueAsString": ["1"]}])),
    ],
)  # fmt: skip
def test_an_aws_service_that_is_not_offered_says_so_to_its_client(clouds, service, call):
    from botocore.exceptions import ClientError

    client = clouds.aws(service)
    with pytest.raises(ClientError, match="is not available offline") as caught:
        call(client)
    client.close()
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperationException"
