"""Fields that Vertex AI's own descriptions exclude (aiplatform v1's discovery document)."""

from __future__ import annotations

import pytest

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
OWN = "us-docker.pkg.dev/p/r/serving:1"
MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
DUTY_CYCLE = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle"
CPU = "aiplatform.googleapis.com/prediction/online/cpu/utilization"


def variables(count: int, size: int = 1) -> dict:
    return {"env": [{"name": f"K{n}", "value": "v" * size} for n in range(count)]}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"env": [{"name": "MY-KEY", "value": "v"}]}, '"MY-KEY" is not a valid C identifier'),
        ({"env": [{"name": "1ST", "value": "v"}]}, '"1ST" is not a valid C identifier'),
        (variables(201), "over 200 environment variables"),
        (variables(1, 128 * 1024), "over 128 KiB"),
        (variables(6, 100 * 1024), "together have over 512 KiB"),
        ({"ports": [{"containerPort": 0}]}, "not between 1 and 65535"),
        ({"ports": [{"containerPort": 65536}]}, "not between 1 and 65535"),
        ({"predictRoute": "predict"}, '"predict" is not valid for `predictRoute`'),
        ({"healthRoute": "v1/models/m"}, "is not valid for `healthRoute`"),
        ({"predictRoute": "/a", "invokeRoutePrefix": "/*"}, "Only one of `predict_route`"),
        ({"invokeRoutePrefix": "/b"}, "is not valid for `invoke_route_prefix`"),
        ({"sharedMemorySizeMb": "-1"}, "must not be negative"),
        ({"deploymentTimeout": "7201s"}, "limited to 2 hours"),
        ({"deploymentTimeout": "2h"}, '"2h" is not valid for `deployment_timeout`'),
        ({"startupProbe": {"periodSeconds": -1}}, "periodSeconds` must be at least 1"),
    ],
)
def test_a_container_that_cannot_be_is_refused(vertex, refused, spec, text):
    model = {"displayName": "m", "artifactUri": "gs://models/double/1"}
    body = {"model": model | {"containerSpec": {"imageUri": IMAGE} | spec}}
    status, code, message = refused(vertex.models.upload(parent=vertex.parent, body=body))
    assert (status, code) == (400, "INVALID_ARGUMENT")
    assert text in message
    assert vertex.models.list(parent=vertex.parent).execute() == {}


def test_a_container_at_its_limits_is_taken(vertex):
    spec = variables(200) | {"deploymentTimeout": "7200s", "ports": [{"containerPort": 65535}]}
    spec["startupProbe"] = {"periodSeconds": 0}  # of proto3, as if it were not set
    vertex.upload(containerSpec={"imageUri": OWN} | spec)


@pytest.mark.parametrize(
    "spec",
    [
        {"command": ["serve"]},
        {"args": ["--enable_batching=true"]},
        {"ports": [{"containerPort": 8501}]},
        {"predictRoute": "/v1/models/m:predict"},
        {"healthRoute": "/v1/models/m"},
    ],
)
def test_a_prebuilt_image_listens_and_answers_where_it_does(vertex, refused, spec):
    """With another port or route the container's health checks fail in the cloud."""
    model = {"displayName": "m", "artifactUri": "gs://models/double/1"}
    body = {"model": model | {"containerSpec": {"imageUri": IMAGE} | spec}}
    status, _, message = refused(vertex.models.upload(parent=vertex.parent, body=body))
    assert (status, message.endswith("of a prebuilt image is not available offline.")) == (
        501,
        True,
    )


def test_the_optimized_runtime_takes_arguments(vertex):
    """Vertex AI, "Optimized TensorFlow runtime": `containerSpec.args`."""
    image = "us-docker.pkg.dev/vertex-ai-restricted/prediction/tf_opt-cpu.2-17:latest"
    vertex.upload(containerSpec={"imageUri": image, "args": ["--allow_precompilation=true"]})


def test_a_route_prefix_needs_a_dedicated_endpoint(vertex, refused):
    model = vertex.upload(containerSpec={"imageUri": OWN, "invokeRoutePrefix": "/*"})["name"]
    body = {"deployedModel": {"model": model, "dedicatedResources": MACHINE}}
    shared = vertex.endpoints.deployModel(endpoint=vertex.create_endpoint(), body=body)
    _, code, message = refused(shared)
    assert code == "FAILED_PRECONDITION"
    assert message.endswith("can only be deployed to a dedicated endpoint.")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"clientConnectionConfig": {"inferenceTimeout": "3601s"}}, "at most 3600 seconds"),
        ({"clientConnectionConfig": {"inferenceTimeout": "0s"}}, "more than 0"),
        (
            {"predictRequestResponseLoggingConfig": {"enabled": True, "samplingRate": -0.1}},
            r"must be in (0, 1]",
        ),
        (
            {"predictRequestResponseLoggingConfig": {"enabled": True, "samplingRate": 50}},
            r"must be in (0, 1]",
        ),
        (
            {"predictRequestResponseLoggingConfig": {"bigqueryDestination": {"outputUri": "p.d"}}},
            '"p.d" is not valid for `bigquery_destination.output_uri`',
        ),
    ],
)
def test_connections_of_an_endpoint_that_are_out_of_range(vertex, refused, fields, text):
    create = vertex.endpoints.create(parent=vertex.parent, body={"displayName": "e"} | fields)
    name = vertex.create_endpoint()
    (field,) = fields
    patch = vertex.endpoints.patch(name=name, updateMask=field, body=fields)
    for request in (create, patch):
        status, code, message = refused(request)
        assert (status, code) == (400, "INVALID_ARGUMENT")
        assert text in message


def test_requests_may_be_logged_without_a_rate(vertex):
    """Endpoint.create of google-cloud-aiplatform: "If not set, default is 0.0"."""
    table = {"bigqueryDestination": {"outputUri": "bq://example.com:p.dataset.table"}}
    logging = {"enabled": True} | table
    body = {"displayName": "e", "predictRequestResponseLoggingConfig": logging}
    assert "error" not in vertex.endpoints.create(parent=vertex.parent, body=body).execute()


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ([{"metricName": "cpu", "target": 60}], '"cpu" is not a metric'),
        ([{"metricName": CPU, "target": 60}, {"metricName": CPU}], "more than once"),
        ([{"metricName": CPU, "target": 101}], "is not a percentage"),
        ([{"metricName": DUTY_CYCLE, "target": 60}], "needs a machine_spec with accelerators"),
    ],
)
def test_scaling_by_a_metric_that_does_not_exist(vertex, refused, metrics, text):
    model, endpoint = vertex.upload()["name"], vertex.create_endpoint()
    machines = MACHINE | {"autoscalingMetricSpecs": metrics}
    body = {"deployedModel": {"model": model, "dedicatedResources": machines}}
    status, code, message = refused(vertex.endpoints.deployModel(endpoint=endpoint, body=body))
    assert (status, code) == (400, "INVALID_ARGUMENT")
    assert text in message
