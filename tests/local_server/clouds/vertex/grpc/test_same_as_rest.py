"""A call over gRPC fails as the same call over REST: code, text, details."""

from __future__ import annotations

import json
from functools import partial

import pytest
import requests
from google.longrunning import operations_pb2
from google.protobuf.struct_pb2 import Value

JOB = {
    "display_name": "j",
    "model": "projects/p/locations/us-central1/models/1",
    "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": ["gs://models/no"]}},
    "output_config": {"predictions_format": "jsonl"},
}
FAILING = {
    "no endpoint": ("EndpointService", "get_endpoint", {"name": "{parent}/endpoints/1"}),
    "no model": ("ModelService", "get_model", {"name": "{parent}/models/1@prod"}),
    "no job": (
        "JobService",
        "get_batch_prediction_job",
        {"name": "{parent}/batchPredictionJobs/1"},
    ),
    "bad id": (
        "EndpointService",
        "create_endpoint",
        {"parent": "{parent}", "endpoint": {"display_name": "e"}, "endpoint_id": "Bad"},
    ),
    "used id": (
        "EndpointService",
        "create_endpoint",
        {"parent": "{parent}", "endpoint": {"display_name": "e"}, "endpoint_id": "used"},
    ),
    "no split": (
        "EndpointService",
        "update_endpoint",
        {
            "endpoint": {"name": "{parent}/endpoints/used", "traffic_split": {"1": 50}},
            "update_mask": {"paths": ["traffic_split"]},
        },
    ),
    "bad mask": (
        "EndpointService",
        "update_endpoint",
        {
            "endpoint": {"name": "{parent}/endpoints/used"},
            "update_mask": {"paths": ["create_time"]},
        },
    ),
    "nothing deployed": (
        "PredictionService",
        "predict",
        {"endpoint": "{parent}/endpoints/used", "instances": [Value(number_value=1.0)]},
    ),
    "bad page": ("ModelService", "list_models", {"parent": "{parent}", "page_token": "?"}),
    "bad filter": ("ModelService", "list_models", {"parent": "{parent}", "filter": "a=("}),
    "no region": ("ModelService", "list_models", {"parent": "projects/p/locations/mars"}),
    "bad job": (
        "JobService",
        "create_batch_prediction_job",
        {"parent": "{parent}", "batch_prediction_job": JOB},
    ),
    "nothing to explain": (
        "PredictionService",
        "explain",
        {"endpoint": "{parent}/endpoints/used", "instances": [Value(number_value=1.0)]},
    ),
    "not offline": ("ModelService", "list_model_evaluations", {"parent": "{parent}/models/1"}),
}


def filled(value, parent: str):
    if isinstance(value, str):
        return value.replace("{parent}", parent)
    if isinstance(value, dict):
        return {key: filled(each, parent) for key, each in value.items()}
    return [filled(each, parent) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", FAILING)
def test_an_error_is_that_of_rest(gapic, parent, case):
    from google.api_core.exceptions import GoogleAPICallError

    service, method, request = FAILING[case]
    client = gapic("EndpointServiceClient")
    used = {"parent": parent, "endpoint": {"display_name": "e"}, "endpoint_id": "used"}
    client.create_endpoint(used).result()
    caught = []
    for transport in ("grpc", "rest"):
        call = getattr(gapic(f"{service}Client", transport), method)
        # Instances cannot be given as a part of a dictionary.
        arguments = filled(request, parent)
        arguments = arguments if "instances" in request else {"request": arguments}
        with pytest.raises(GoogleAPICallError) as raised:
            call(**arguments)
        caught.append(raised.value)
    over_grpc, over_rest = caught
    error = json.loads(over_rest.response.content)["error"]
    assert over_grpc.grpc_status_code.name == error["status"]
    assert over_grpc.code == error["code"]
    # The REST client writes the request before the text.
    assert over_rest.message.endswith(over_grpc.message)
    assert [type(each) for each in over_grpc.details] == [type(each) for each in over_rest.details]


def test_a_denied_permission_has_its_details(address, start_emulator, aiplatform):
    import grpc
    from google.api_core.exceptions import PermissionDenied

    running = start_emulator(None, deny=("aiplatform.endpoints.list",))
    service = aiplatform.gapic.EndpointServiceClient
    # Its certificate is another emulator's, which this process does not trust.
    channel = grpc.insecure_channel(running.url.removeprefix("http://"))
    transport = service.get_transport_class("grpc")(channel=channel)
    with pytest.raises(PermissionDenied) as refused:
        service(transport=transport).list_endpoints(parent="projects/p/locations/us-central1")
    channel.close()
    assert refused.value.reason == "IAM_PERMISSION_DENIED"
    assert refused.value.metadata["permission"] == "aiplatform.endpoints.list"


def test_an_injected_fault_hits_calls_by_their_rest_path(gapic, clouds, parent):
    from google.api_core.exceptions import ResourceExhausted, ServiceUnavailable

    rules = f"{clouds.url}/_cloudserve/faults"
    route = f"GET /v1/{parent}/endpoints"
    faults = [{"route": route, "status": 429, "message": "Quota exceeded.", "times": 1}]
    list_endpoints = gapic("EndpointServiceClient").list_endpoints
    try:
        requests.post(rules, json={"faults": faults}, timeout=60).raise_for_status()
        with pytest.raises(ResourceExhausted, match="Quota exceeded"):
            list_endpoints(parent=parent)
        assert list(list_endpoints(parent=parent)) == []
        faults = [{"route": route, "drop": True, "times": 1}]
        requests.post(rules, json={"faults": faults}, timeout=60).raise_for_status()
        with pytest.raises(ServiceUnavailable, match="Socket closed"):
            list_endpoints(parent=parent)
    finally:
        requests.delete(rules, timeout=60)


def test_a_dedicated_endpoint_refuses_the_shared_host_and_answers_its_own(gapic, parent, clouds):
    """The host is the authority of the call."""
    import grpc
    from google.api_core.exceptions import FailedPrecondition

    request = {
        "parent": parent,
        "endpoint": {"display_name": "e", "dedicated_endpoint_enabled": True},
    }
    endpoint = gapic("EndpointServiceClient").create_endpoint(request).result()
    predict = gapic("PredictionServiceClient").predict
    with pytest.raises(FailedPrecondition, match="Dedicated Endpoint"):
        predict(endpoint=endpoint.name, instances=[Value(number_value=1.0)])
    options = [("grpc.default_authority", endpoint.dedicated_endpoint_dns)]
    service = type(gapic("PredictionServiceClient"))
    with grpc.insecure_channel(clouds.url.removeprefix("http://"), options) as channel:
        client = service(transport=service.get_transport_class("grpc")(channel=channel))
        # Nothing is deployed.
        with pytest.raises(FailedPrecondition, match="doesn't have traffic_split"):
            client.predict(endpoint=endpoint.name, instances=[Value(number_value=1.0)])


def test_a_large_prediction_is_measured_as_a_message(gapic, parent):
    """As JSON it may be larger than the limit, or smaller: the service counts what it received."""
    from google.api_core.exceptions import FailedPrecondition, NotFound

    predict = partial(gapic("PredictionServiceClient").predict, endpoint=f"{parent}/endpoints/1")
    with pytest.raises(NotFound):
        predict(instances=[Value(string_value="\x01" * 1_000_000)])  # 6 MB of JSON
    with pytest.raises(FailedPrecondition, match=r"The request size \(\d+ bytes\) exceeds 1.500MB"):
        predict(instances=[Value(string_value="x" * 1_600_000)])


def test_a_deadline_ends_the_call_and_not_its_work(gapic, clouds, parent, poll_until):
    from google.api_core.exceptions import DeadlineExceeded

    client, rules = gapic("EndpointServiceClient"), f"{clouds.url}/_cloudserve/faults"
    faults = [{"route": f"POST /v1/{parent}/endpoints", "latency": 0.3, "times": 1}]
    requests.post(rules, json={"faults": faults}, timeout=60).raise_for_status()
    request = {"parent": parent, "endpoint": {"display_name": "e"}}
    try:
        with pytest.raises(DeadlineExceeded):
            client.create_endpoint(request, timeout=0.1)
        poll_until(lambda: list(client.list_endpoints(parent=parent)), bool)
    finally:
        requests.delete(rules, timeout=60)


def test_operations_are_listed_and_deleted(gapic, parent):
    client = gapic("EndpointServiceClient")
    created = client.create_endpoint({"parent": parent, "endpoint": {"display_name": "e"}})
    created.result()
    operation = client.get_operation({"name": created.operation.name})
    assert operation.done
    assert operation.response.type_url.endswith("google.cloud.aiplatform.v1.Endpoint")
    owner = operation.name.partition("/operations/")[0]
    listed = client.list_operations({"name": owner}).operations
    assert [each.name for each in listed] == [operation.name]
    # The SDK does not decode the answer of this method.
    waited = client.wait_operation({"name": operation.name})
    assert operations_pb2.Operation.FromString(waited).done
    client.delete_operation({"name": operation.name})
    assert not client.list_operations({"name": owner}).operations


def test_permissions_of_a_model_are_tested(gapic, parent):
    from google.iam.v1 import iam_policy_pb2

    request = iam_policy_pb2.TestIamPermissionsRequest(
        resource=f"{parent}/models/1", permissions=["aiplatform.models.get"]
    )
    # "an empty set of permissions, not a NOT_FOUND error"
    assert gapic("ModelServiceClient").test_iam_permissions(request).permissions == []
