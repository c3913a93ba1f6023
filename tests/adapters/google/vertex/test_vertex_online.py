"""Predictions through Vertex AI's rawPredict, over a real socket: the bytes, the host, failures."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.google.labels import version_labels
from cloudserve.adapters.google.vertex.provider import create

from cloudserve.errors import RemoteError
from cloudserve.project import Target
from cloudserve.release.types import Revision
from tests.adapters.google.owned import model_labels

PARENT = "projects/p/locations/us-central1"
MODEL, ENDPOINT = f"{PARENT}/models/half-plus", f"{PARENT}/endpoints/half-plus"
ONE = Revision(1, "0f3c5a9b7d21" + "e" * 52)
VERSION = {
    "name": MODEL,
    "versionId": "1",
    "versionAliases": [ONE.id],
    "labels": {**model_labels("half-plus", "some-bucket"), **version_labels(ONE)},
}
DEPLOYED = {"id": "77", "model": MODEL, "modelVersionId": "1"}
JSON = {"Content-Type": "application/json"}
LOG = (
    "https://console.cloud.google.com/logs/query;query=resource.type%3D%22aiplatform.googleapis.com"
    "%2FEndpoint%22%0Aresource.labels.endpoint_id%3D%22half-plus%22?project=p"
)


@pytest.fixture
def answering(scripted, clouds):
    """Give what makes a provider whose one revision answers predictions so, and its server."""

    def make(status, content, **endpoint):
        existing = {
            "name": ENDPOINT,
            "labels": model_labels("half-plus", "some-bucket"),
            "deployedModels": [DEPLOYED],
            "trafficSplit": {"77": 100},
            **endpoint,
        }
        answers = {
            f"GET {MODEL}:listVersions": json.dumps({"models": [VERSION]}).encode(),
            f"GET {ENDPOINT}": json.dumps(existing).encode(),
            f"GET {ENDPOINT}/operations": b"{}",
        }

        def answer_to(request):
            key = f"{request.method} {request.path.partition('?')[0].removeprefix('/v1/')}"
            if key == f"POST {ENDPOINT}:rawPredict":
                return status, JSON, content
            return 200, JSON, answers[key]

        server = scripted(answer_to)
        fields = {"bucket": "gs://some-bucket", "project": "p", "endpoint": server.url}
        return create(Target("gcp", "vertex", fields), clouds), server

    return make


def test_a_prediction_passes_bytes_through(answering):
    content = b'{"predictions": [NaN, 1.50, 2e3]}'
    provider, server = answering(200, content)
    body = b'{"instances":   [1.0, 1e400], "signature_name": "x"}'
    assert provider.predict("half-plus", body) == content
    assert provider.predict("half-plus", body, ONE.id) == content
    assert server.requests[-1].body == body


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (400, b'{"error": {"code": 400, "message": "no such signature"}}', "no such signature"),
        (400, b'{"error": "JSON Value: 1 is no object"}', "JSON Value: 1 is no object"),
        (200, b'{"error": "it failed"}', "it failed"),
        (502, b"<html>Bad Gateway</html>", "Bad Gateway"),
    ],
)
def test_a_prediction_that_fails_says_why(answering, status, content, message):
    provider, _ = answering(status, content)
    with pytest.raises(RemoteError, match=message) as error:
        provider.predict("half-plus", b"{}")
    assert error.value.status == status
    assert error.value.where.endswith(f"{ENDPOINT}:rawPredict")


def test_an_unready_endpoint_has_a_hint_with_its_log(answering):
    provider, _ = answering(503, b'{"error": {"code": 503, "message": "not ready"}}')
    with pytest.raises(RemoteError) as error:
        provider.predict("half-plus", b"{}")
    assert error.value.message == "predict: not ready"
    assert error.value.hint == (
        f"try again: its machines may be starting, or overloaded; log: {LOG}"
    )
    assert error.value.retryable


def test_a_dedicated_host_is_named_to_a_service_that_is_not_googles(answering):
    dns = "half-plus.us-central1-123.prediction.vertexai.goog"
    provider, server = answering(
        200, b'{"predictions": [1]}', dedicatedEndpointEnabled=True, dedicatedEndpointDns=dns
    )
    provider.predict("half-plus", b"{}")
    assert server.requests[-1].headers["Host"] == dns
