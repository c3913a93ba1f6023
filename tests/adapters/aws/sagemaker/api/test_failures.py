"""What SageMaker's failures look like, over a real socket and boto3."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.aws.sagemaker.provider import create

from cloudserve.errors import ConflictError, ProjectError, RemoteError, UnreachableError
from cloudserve.project import Target
from cloudserve.storage.events import SILENT, Reporter
from tests.adapters.aws.scripted import (
    ARN,
    FIELDS,
    KEYS,
    NO_LOG,
    ONE,
    THREE,
    TWO,
    action,
    bodies,
    config_of,
    described,
    ok,
    provider_at,
    refused,
    variants,
)


def test_a_permission_that_is_missing_is_named(sagemaker):
    text = "User: arn:aws:iam::0:user/x is not authorized to perform: sagemaker:DescribeEndpoint"
    provider, _ = sagemaker({"DescribeEndpoint": refused("AccessDeniedException", text)})
    with pytest.raises(RemoteError) as error:
        provider.read("half")
    assert error.value.message == f"read the endpoint half: {text}"
    assert error.value.hint == ("allow arn:aws:iam::0:user/x the action sagemaker:DescribeEndpoint")
    assert (error.value.status, error.value.request_id) == (400, "r-1")
    assert not error.value.retryable


def test_keys_that_aws_does_not_know_are_reported(sagemaker):
    text = "The security token included in the request is invalid."
    provider, _ = sagemaker({"DescribeEndpoint": refused("UnrecognizedClientException", text)})
    with pytest.raises(RemoteError) as error:
        provider.read("half")
    assert error.value.hint.startswith("AWS does not accept these keys")


def test_throttling_is_worth_a_retry(sagemaker):
    provider, server = sagemaker({"DescribeEndpoint": refused("ThrottlingException", "Rate")})
    with pytest.raises(RemoteError) as error:
        provider.read("half")
    assert error.value.retryable
    assert len(server.requests) == 3


def test_an_endpoint_without_a_server_is_unreachable(nobody):
    provider = create(Target("aws", "sagemaker", FIELDS), {**KEYS, "AWS_ENDPOINT_URL": nobody})
    for call in (
        lambda: provider.read("half").deployment,
        lambda: provider.predict("half", b"{}"),
        lambda: provider.blobs.read("a"),
    ):
        with pytest.raises(UnreachableError) as error:
            call()
        assert nobody in error.value.where
        assert "emulator" in error.value.hint


def test_making_a_provider_sends_no_request(scripted):
    server = scripted(lambda request: None)
    create(Target("aws", "sagemaker", FIELDS), {**KEYS, "AWS_ENDPOINT_URL": server.url})
    assert server.requests == []


@pytest.mark.parametrize("fields", [{}, {"profile": "nobody"}])
def test_missing_credentials_are_reported_with_the_command_to_log_in(monkeypatch, tmp_path, fields):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    for variable in (*KEYS, "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    # Requests are signed before they are sent: nothing leaves for AWS.
    provider = create(Target("aws", "sagemaker", FIELDS | fields), {})
    for call in (lambda: provider.read("half").deployment, lambda: provider.blobs.read("a")):
        with pytest.raises(RemoteError, match="no usable AWS credentials") as error:
            call()
        assert "aws configure" in error.value.hint


@pytest.mark.parametrize(
    ("fields", "field", "hint"),
    [
        ({"role_arn": "my-role"}, "role_arn", None),
        ({"region": "mars-north-1"}, "region", "correct `region`, or name a container"),
        ({"bucket": "some-bucket"}, "bucket", "write s3://NAME"),
        ({"instance_count": 0}, "instance_count", None),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields, field, hint):
    with pytest.raises(ProjectError) as error:
        create(Target("aws", "sagemaker", FIELDS | fields, "file: targets.aws"), {})
    assert error.value.where == f"file: targets.aws.{field}"
    assert hint is None or error.value.hint.startswith(hint)


def test_an_endpoint_that_fails_raises_sagemakers_reason(sagemaker, lines):
    reason = "The primary container for production variant v1 did not pass the ping health check."
    provider, _ = sagemaker(
        {
            "CreateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described("Creating"), described("Failed", reason=reason)],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    create_it = action("create-endpoint", endpoint="half", config="half-old", model="half")
    with pytest.raises(RemoteError) as error:
        provider.perform(create_it, Reporter(lines.append))
    assert error.value.message == f"endpoint half: {reason}"
    assert lines == ["endpoint half: Creating", "endpoint half: Failed", NO_LOG]
    assert error.value.hint == (
        "the container's log says why the model does not load; correct it; then deploy again: "
        "what failed is replaced"
    )


def test_a_failure_comes_with_the_last_lines_that_the_new_variant_logged(sagemaker, lines):
    streams = [
        {"logStreamName": f"{TWO.id}/i-0a", "lastEventTimestamp": 5},
        {"logStreamName": f"{TWO.id}/i-0b", "lastEventTimestamp": 9},
    ]
    events = [{"message": "Loading servable\n"}, {"message": "Op type not registered\n"}]
    provider, server = sagemaker(
        {
            "UpdateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described(), described("Updating"), described(reason="no ping")],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
            "DescribeLogStreams": ok({"logStreams": streams}),
            "GetLogEvents": ok({"events": events}),
        }
    )
    update = action("update-endpoint", endpoint="half", config="new", variant=TWO.id)
    with pytest.raises(RemoteError, match="no ping"):
        provider.perform(update, Reporter(lines.append))
    assert lines[-3:] == [
        f"the last lines of the log /aws/sagemaker/Endpoints/half, {TWO.id}/i-0b:",
        "  Loading servable",
        "  Op type not registered",
    ]
    assert [b["logStreamNamePrefix"] for b in bodies(server, "DescribeLogStreams")] == [
        f"{TWO.id}/"
    ]


def test_a_log_that_is_forbidden_is_reported_in_a_line_and_hides_nothing(sagemaker, lines):
    text = "User: arn:aws:iam::0:user/x is not authorized to perform: logs:DescribeLogStreams"
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described("Failed", reason="no ping"),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
            "DescribeLogStreams": refused("AccessDeniedException", text),
        }
    )
    with pytest.raises(RemoteError, match="endpoint half: no ping"):
        provider.perform(action("await-endpoint", endpoint="half"), Reporter(lines.append))
    assert lines[-1] == (f"no log to show: read the log /aws/sagemaker/Endpoints/half: {text}")


def test_an_update_that_is_rolled_back_is_an_error(sagemaker, lines):
    provider, _ = sagemaker(
        {
            "UpdateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described(), described("RollingBack"), described()],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    with pytest.raises(RemoteError, match="SageMaker undid the change"):
        provider.perform(
            action("update-endpoint", endpoint="half", config="new"), Reporter(lines.append)
        )


def test_an_update_that_has_not_begun_yet_is_not_taken_for_done(sagemaker, lines):
    provider, server = sagemaker(
        {
            "UpdateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [
                described(),
                described(),
                described("Updating"),
                described(config="new"),
            ],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    provider.perform(
        action("update-endpoint", endpoint="half", config="new"), Reporter(lines.append)
    )
    assert lines[-2:] == ["endpoint half: Updating", "endpoint half: InService"]
    assert bodies(server, "UpdateEndpoint") == [
        {
            "EndpointName": "half",
            "EndpointConfigName": "new",
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
        }
    ]


@pytest.mark.parametrize("change", ["count", "capture"])
def test_an_update_keeps_nothing_if_counts_or_capture_change(sagemaker, change):
    new = {"ProductionVariants": variants(a=1.0)}
    if change == "count":
        new["ProductionVariants"] = [
            {**each, "InitialInstanceCount": 7} for each in new["ProductionVariants"]
        ]
    else:
        new["DataCaptureConfig"] = {"EnableCapture": True}
    provider, server = sagemaker(
        {
            "UpdateEndpoint": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described(), described(config="new")],
            "DescribeEndpointConfig": [config_of(variants(a=1.0)), ok(new)],
        }
    )
    provider.perform(action("update-endpoint", endpoint="half", config="new"), SILENT)
    assert bodies(server, "UpdateEndpoint") == [
        {"EndpointName": "half", "EndpointConfigName": "new"}
    ]


def test_an_endpoint_that_was_updated_since_the_plan_is_not_updated(sagemaker):
    provider, server = sagemaker(
        {
            "DescribeEndpoint": described(config="by-hand"),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    update = action("update-endpoint", endpoint="half", config="new", before="old")
    with pytest.raises(ConflictError, match="has the configuration by-hand, and had old when"):
        provider.perform(update, SILENT)
    assert not bodies(server, "UpdateEndpoint")


@pytest.mark.parametrize(
    ("weights", "refuses"), [({ONE.id: 10, TWO.id: 90}, True), ({ONE.id: 100}, False)]
)
def test_traffic_of_a_variant_that_the_plan_did_not_know(sagemaker, weights, refuses):
    """A plan that gives a revision all traffic takes it from any variant, as its sentence says."""
    provider, server = sagemaker(
        {
            "UpdateEndpointWeightsAndCapacities": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described(a=0.5, b=0.3, c=0.2), described(a=1.0, b=0.0, c=0.0)],
            "DescribeEndpointConfig": config_of(variants(a=0.5, b=0.3, c=0.2)),
        }
    )
    step = action("set-weights", endpoint="half", revision=ONE.id, weights=weights)
    if refuses:
        with pytest.raises(ConflictError, match=f"{THREE.id} of the endpoint half has traffic"):
            provider.perform(step, SILENT)
    else:
        provider.perform(step, SILENT)
    assert bool(bodies(server, "UpdateEndpointWeightsAndCapacities")) != refuses


def invoking_alone(answer):
    """Return the script of a service whose caller may do nothing but invoke."""
    denied = refused(
        "AccessDeniedException", "not authorized to perform: sagemaker:DescribeEndpoint"
    )
    return lambda request: answer if request.path.startswith("/endpoints/") else denied


def test_a_containers_refusal_is_raised_in_its_own_words(scripted):
    sentence = "Failed to process element: 0 of 'instances' list."
    original = json.dumps({"error": sentence})
    body = {
        "ErrorCode": "CLIENT_ERROR_FROM_MODEL",
        "LogStreamArn": "arn:aws:logs:x",
        "Message": f'Received client error (400) from primary with message "{original}".',
        "OriginalMessage": original,
        "OriginalStatusCode": 400,
    }
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError"}
    server = scripted(invoking_alone((424, headers, json.dumps(body).encode())))
    with pytest.raises(RemoteError) as error:
        provider_at(server.url).predict("half", b"{}")
    assert error.value.message == f"predict: {sentence}"
    assert (error.value.status, error.value.retryable) == (400, False)
    assert error.value.where.endswith("endpoint half")


def test_a_prediction_passes_bytes_through_to_the_variant(scripted):
    content = b'{"predictions": [1.50]}'
    server = scripted(invoking_alone((200, {"Content-Type": "application/json"}, content)))
    body = b'{"instances":   [1e400]}'
    assert provider_at(server.url).predict("ha_lf", body, TWO.id) == content
    (request,) = (request for request in server.requests if request.path != "/")
    assert (request.path, request.body) == ("/endpoints/ha-lf/invocations", body)
    assert request.headers["X-Amzn-SageMaker-Target-Variant"] == TWO.id
    assert request.headers["Content-Type"] == "application/json"


def test_the_owner_is_read_before_the_first_prediction_only(scripted):
    content = b'{"predictions": [1.5]}'
    server = scripted(invoking_alone((200, {"Content-Type": "application/json"}, content)))
    provider = provider_at(server.url)
    for _ in range(3):
        assert provider.predict("half", b"{}") == content
    assert [request.path == "/" for request in server.requests] == [True, False, False, False]
