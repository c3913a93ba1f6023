"""Every message survives the way through REST, field by field, for the methods of four services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

import pytest
from cloudserve.local_server.clouds.google.common.discovery import load
from cloudserve.local_server.clouds.vertex.grpc.methods import PACKAGE, Methods, RpcMethod, _load
from cloudserve.local_server.clouds.vertex.grpc.transcoding import message_of, request_of
from cloudserve.local_server.status import StatusError
from cloudserve.local_server.transport.grpc_http2.wire import escape
from cloudserve.local_server.transport.grpc_types import Call, details_of
from cloudserve.local_server.transport.types import Response
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local_server.clouds.vertex.grpc.messages import read, requests, responses

SERVICES = ("EndpointService", "ModelService", "JobService", "PredictionService")
NEWER = {"google.cloud.aiplatform.v1.Endpoint.private_model_server_enabled"}
"""Fields of the SDK that the discovery document does not have: the service refuses them by name."""


@cache
def methods() -> Mapping[str, RpcMethod]:
    """Return the methods of the services that have resources offline."""
    found = {}
    for service in SERVICES:
        found |= _load(f"{PACKAGE}{service}")
    found |= _load("google.longrunning.Operations")
    return {path: method for path, method in found.items() if method.http}


def drawn(data) -> RpcMethod:
    return methods()[data.draw(st.sampled_from(sorted(methods())))]


def ask(method: RpcMethod, message):
    return request_of(method, Call(method.path, authority="127.0.0.1:1"), message)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_rest_request_stands_for_its_message(aiplatform, data):
    method = drawn(data)
    message = data.draw(requests(method))
    assert read(method, ask(method, message)) == message


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_response_becomes_its_message(aiplatform, data):
    method = drawn(data)
    message = data.draw(responses(method))
    if method.response.DESCRIPTOR.full_name == "google.api.HttpBody":
        message.ClearField("extensions")
        answer = Response(200, message.data, message.content_type)
    else:
        answer = Response(200, json_format.MessageToJson(message).encode())
    assert message_of(method, answer) == message


def test_all_services_of_the_sdk_are_found(aiplatform):
    import pkgutil

    from google.cloud.aiplatform_v1 import services

    for module in pkgutil.iter_modules(services.__path__):
        service = "".join(word.capitalize() for word in module.name.split("_"))
        declared = _load(f"{PACKAGE}{service}")
        assert declared, service
        # A method without a binding takes a stream, which REST cannot send.
        assert all(method.http or method.takes_stream for method in declared.values())


def test_bodies_have_no_field_that_the_rest_api_does_not_have(aiplatform):
    schemas = load("aiplatform", "v1").schemas
    unknown = set()
    for method in methods().values():
        body = method.http[0].get("body")
        if not body or not method.path.startswith(f"/{PACKAGE}"):
            continue
        descriptor = method.request.DESCRIPTOR
        in_path = {name for name in descriptor.fields_by_name if f"{{{name}=" in str(method.http)}
        if body != "*":
            descriptor = descriptor.fields_by_name[body].message_type
        names = schemas[_schema_id(descriptor)].get("properties")
        if names is None:  # google.api.HttpBody and its like
            continue
        for field in descriptor.fields:
            if field.json_name not in names and field.name not in in_path:
                unknown.add(field.full_name)
    assert unknown == NEWER


def _schema_id(descriptor) -> str:
    name = descriptor.full_name.removeprefix(PACKAGE)
    return f"GoogleCloudAiplatformV1{name.replace('.', '')}"


def test_an_error_without_googles_form_keeps_its_status(aiplatform):
    method = Methods().find(f"/{PACKAGE}EndpointService/GetEndpoint")
    with pytest.raises(StatusError) as raised:
        message_of(method, Response(503, b"<html>try later</html>"))
    assert (raised.value.code.name, raised.value.message) == (
        "UNAVAILABLE",
        "<html>try later</html>",
    )


def error(message: str, **more) -> Response:
    document = {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": message} | more}
    return Response(400, json.dumps(document).encode())


@given(st.text(max_size=50).map(lambda text: text * 400))
def test_a_text_is_cut_to_what_clients_accept(aiplatform, text):
    method = Methods().find(f"/{PACKAGE}EndpointService/GetEndpoint")
    with pytest.raises(StatusError) as raised:
        message_of(method, error(f"a{text}"))
    message = raised.value.message
    assert len(escape(message)) < 3100
    assert message == f"a{text}" or f"a{text}".startswith(message.removesuffix("...TRUNCATED"))


def test_details_that_clients_would_refuse_are_left_out(aiplatform):
    method = Methods().find(f"/{PACKAGE}EndpointService/GetEndpoint")
    for size, has_details in ((100, True), (5000, False)):
        violation = {"field": "f", "description": "x" * size}
        detail = {"@type": "type.googleapis.com/google.rpc.BadRequest"}
        details = [detail | {"fieldViolations": [violation]}]
        with pytest.raises(StatusError) as raised:
            message_of(method, error("m", details=details))
        assert bool(details_of(raised.value)) is has_details
