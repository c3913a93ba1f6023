"""No request of any method of the SDK is answered with an error of this server's own."""

from __future__ import annotations

import pkgutil

import grpc
import pytest
from cloudserve.local_server.clouds.vertex.grpc.methods import PACKAGE, _load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local_server.clouds.vertex.grpc.messages import requests

OWN_FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}


@pytest.fixture(scope="module")
def methods(aiplatform):
    from google.cloud.aiplatform_v1 import services

    found = {}
    for module in pkgutil.iter_modules(services.__path__):
        name = "".join(word.capitalize() for word in module.name.split("_"))
        found |= _load(f"{PACKAGE}{name}")
    for name in ("longrunning.Operations", "iam.v1.IAMPolicy", "cloud.location.Locations"):
        found |= _load(f"google.{name}")
    return [method for method in found.values() if method.http]


@pytest.fixture(scope="module")
def channel(clouds, gapic):
    """Give a channel to an emulator that has an endpoint of a name that is drawn often."""
    parent, endpoint = "projects/p/locations/us-central1", {"display_name": "e"}
    request = {"parent": parent, "endpoint": endpoint, "endpoint_id": "any-request"}
    gapic("EndpointServiceClient").create_endpoint(request).result()
    with grpc.insecure_channel(clouds.url.removeprefix("http://")) as channel:
        yield channel


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_request_is_answered_or_refused(methods, channel, data):
    method = data.draw(st.sampled_from(methods), "method")
    message = data.draw(requests(method), "message")
    call = channel.unary_unary(method.path)
    try:
        method.response.FromString(call(message.SerializeToString(), timeout=60))
    except grpc.RpcError as error:
        assert error.code() not in OWN_FAULTS, error
