"""Raw request fields: merged, validated by botocore, kept by the offline SageMaker, compared."""

from __future__ import annotations

import pytest

from cloudserve.errors import ProjectError
from cloudserve.testing.provider_steps import perform, plan, put

EXTRA = {
    "create_model": {"PrimaryContainer": {"ContainerHostname": "first"}},
    "create_endpoint_config": {"MetricsConfig": {"EnableEnhancedMetrics": True}},
    "production_variant": {"RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}},
}
NEW_MODEL = ["delete-model", "create-model", "create-endpoint-config", "update-endpoint"]
NEW_CONFIG = ["create-endpoint-config", "update-endpoint"]


@pytest.mark.parametrize(
    ("request_name", "steps"),
    [
        ("create_model", NEW_MODEL),
        ("create_endpoint_config", NEW_CONFIG),
        ("production_variant", NEW_CONFIG),
    ],
)
def test_an_extra_field_reaches_the_service_and_its_change_and_end_are_planned(
    target, client, half_plus_two, request_name, steps
):
    extra = {request_name: EXTRA[request_name]}
    revision = put(target(), "half", 1, half_plus_two)
    perform(target(), plan(target(), "half", revision))
    provider = target(extra=extra)
    actions = plan(provider, "half", revision)
    assert [action.kind for action in actions] == steps
    perform(provider, actions)
    ((key, value),) = EXTRA[request_name].items()
    assert described(client)[request_name][key].items() >= value.items()
    assert plan(provider, "half", revision) == ()
    assert [action.kind for action in plan(target(), "half", revision)] == steps


def described(client):
    sagemaker = client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName="half")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    (variant,) = config["ProductionVariants"]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    return {
        "create_model": model,
        "create_endpoint_config": config,
        "production_variant": variant,
    }


@pytest.mark.parametrize(
    ("extra", "field", "sentence"),
    [
        ({"create_modle": {}}, "create_modle", "has no request `create_modle`"),
        ({"create_model": {"Tags": []}}, "create_model.Tags", "cloudserve sets `Tags`"),
        (
            {"create_model": {"PrimaryContainer": {"Image": "x"}}},
            "create_model.PrimaryContainer.Image",
            "cloudserve sets `PrimaryContainer.Image` of create_model",
        ),
        (
            {"production_variant": {"RoutingConfg": {}}},
            "production_variant",
            'Unknown parameter in input: "RoutingConfg"',
        ),
        (
            {"production_variant": {"EnableSSMAccess": "yes"}},
            "production_variant",
            "Invalid type for parameter EnableSSMAccess",
        ),
        (
            {"create_endpoint_config": {"DataCaptureConfig": {"KmsKeyId": "k"}}},
            "create_endpoint_config.DataCaptureConfig",
            "needs `capture_percent`",
        ),
        (
            {"production_variant": {"ManagedInstanceScaling": {"Status": "ENABLED"}}},
            "production_variant.ManagedInstanceScaling",
            "only the instances of inference components",
        ),
    ],
)
def test_a_wrong_field_is_refused_before_anything_is_sent(target, extra, field, sentence):
    with pytest.raises(ProjectError, match=sentence) as caught:
        target(extra=extra)
    assert caught.value.where.endswith(f".extra.{field}")
