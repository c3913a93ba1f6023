"""Calls below the SDK: raw bytes, streams, names that no method has, other services."""

from __future__ import annotations

import json

import grpc
import pytest
from google.protobuf.struct_pb2 import Value

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"


@pytest.fixture(scope="module")
def channel(clouds):
    with grpc.insecure_channel(clouds.url.removeprefix("http://")) as channel:
        yield channel


def failure(channel, path: str, data: bytes = b"") -> tuple[str, str]:
    call = channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as raised:
        call(data, timeout=60)
    return raised.value.code().name, raised.value.details()


def test_raw_predictions_have_the_containers_bytes(grpc_sdk, gapic):
    from google.api_core.exceptions import FailedPrecondition

    model = grpc_sdk.Model.upload(
        display_name="m", artifact_uri="gs://models/double/1", serving_container_image_uri=IMAGE
    )
    endpoint = model.deploy(machine_type="n1-standard-2")
    body = {"data": b'{"instances": [1.0, 2.5]}', "content_type": "application/json"}
    request = {"endpoint": endpoint.resource_name, "http_body": body}
    client = gapic("PredictionServiceClient")
    raw = client.raw_predict(request)
    assert json.loads(raw.data) == {"predictions": [2.0, 5.0]}
    assert raw.content_type.startswith("application/json")
    with pytest.raises(FailedPrecondition, match="dedicated endpoints only"):
        list(client.stream_raw_predict(request))


@pytest.mark.parametrize("name", ["StreamingPredict", "StreamingRawPredict", "StreamDirectPredict"])
def test_streams_that_vertex_ai_has_over_grpc_alone_are_refused_by_name(channel, aiplatform, name):
    path = f"/google.cloud.aiplatform.v1.PredictionService/{name}"
    expected = f"PredictionService.{name} is not available offline."
    assert failure(channel, path) == ("UNIMPLEMENTED", expected)


def test_other_versions_and_services_are_refused_with_a_way_out(channel):
    beta = "/google.cloud.aiplatform.v1beta1.EndpointService/ListEndpoints"
    expected = "aiplatform v1beta1 is not available offline; use v1."
    assert failure(channel, beta) == ("UNIMPLEMENTED", expected)
    other = "/google.monitoring.v3.MetricService/ListTimeSeries"
    code, text = failure(channel, other)
    assert code == "UNIMPLEMENTED"
    assert text.startswith("google.monitoring.v3.MetricService is not available offline over gRPC")


@pytest.mark.parametrize(
    "path",
    [
        "/google.cloud.aiplatform.v1.EndpointService/Nothing",
        "/google.cloud.aiplatform.v1.NoService/Nothing",
        "/google.longrunning.Operations/Nothing",
        "/tensorflow.serving.PredictionService/Predict",
    ],
)
def test_an_unknown_method_is_refused(channel, aiplatform, path):
    assert failure(channel, path) == ("UNIMPLEMENTED", "Method not found!")


def test_a_name_that_no_url_has_is_invalid(channel, aiplatform):
    from google.cloud.aiplatform_v1.types import GetEndpointRequest

    path = "/google.cloud.aiplatform.v1.EndpointService/GetEndpoint"
    data = GetEndpointRequest.serialize(GetEndpointRequest(name="endpoints/1"))
    text = "Invalid resource field value in the request."
    assert failure(channel, path, data) == ("INVALID_ARGUMENT", text)


def test_bytes_that_are_no_message_are_invalid(channel, aiplatform):
    path = "/google.cloud.aiplatform.v1.EndpointService/GetEndpoint"
    code, text = failure(channel, path, b"\xff\xff\xff")
    assert (code, text) == (
        "INVALID_ARGUMENT",
        "the request is not a google.cloud.aiplatform.v1.GetEndpointRequest",
    )


def test_a_number_that_json_does_not_have_is_invalid(gapic, parent):
    from google.api_core.exceptions import InvalidArgument

    predict = gapic("PredictionServiceClient").predict
    with pytest.raises(InvalidArgument, match="NaN"):
        predict(endpoint=f"{parent}/endpoints/1", instances=[Value(number_value=float("nan"))])


def test_without_the_sdk_every_call_says_what_to_install(channel, monkeypatch):
    import sys

    from cloudserve.local_server.clouds.vertex.grpc import methods
    from cloudserve.local_server.status import StatusError

    monkeypatch.setitem(sys.modules, "google.cloud.aiplatform_v1", None)
    with pytest.raises(StatusError, match="google-cloud-aiplatform, which is not installed"):
        methods.Methods().find("/google.cloud.aiplatform.v1.EndpointService/GetEndpoint")
