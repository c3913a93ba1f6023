"""Network, encryption and tags: from the target's fields to the offline SageMaker and back."""

from __future__ import annotations

import pytest

from cloudserve.errors import UserError
from cloudserve.release.types import Artifact
from cloudserve.testing.provider_steps import perform, plan, put
from tests.adapters.aws.sagemaker.test_sagemaker_code import with_code

FIELDS = {
    "subnets": "subnet-1, subnet-2",
    "security_groups": "sg-1",
    "network_isolation": True,
    "kms_key": "alias/models",
    "volume_size_gb": 50,
    "tags": {"team": "vision", "cost-center": "42"},
}


@pytest.fixture
def deployed(target, half_plus_two):
    """Give what deploys a model with more fields, and returns the kinds of the steps."""
    revisions = {}

    def deploy(**more):
        provider = target(**more)
        if not revisions:
            revisions["half"] = put(provider, "half", 1, half_plus_two)
        actions = plan(provider, "half", revisions["half"])
        perform(provider, actions)
        return [action.kind for action in actions]

    return deploy


def described(client):
    """Return the documents of the endpoint's model and configuration."""
    sagemaker = client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName="half")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    (variant,) = config["ProductionVariants"]
    return sagemaker.describe_model(ModelName=variant["ModelName"]), config, endpoint


def test_every_field_is_what_the_service_describes(deployed, client):
    deployed(**FIELDS)
    model, config, endpoint = described(client)
    assert model["VpcConfig"] == {
        "Subnets": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["sg-1"],
    }
    assert model["EnableNetworkIsolation"] is True
    assert config["KmsKeyId"] == "alias/models"
    assert config["ProductionVariants"][0]["VolumeSizeInGB"] == 50
    arns = (model["ModelArn"], config["EndpointConfigArn"], endpoint["EndpointArn"])
    for arn in arns:
        tags = {
            t["Key"]: t["Value"] for t in client("sagemaker").list_tags(ResourceArn=arn)["Tags"]
        }
        assert tags.items() >= {"team": "vision", "cost-center": "42"}.items()
        assert tags["cloudserve-model"] == "half"


def test_the_same_fields_are_nothing_to_do(deployed):
    deployed(**FIELDS)
    assert deployed(**FIELDS | {"subnets": "subnet-2,subnet-1"}) == []


NEW_MODEL = ["delete-model", "create-model", "create-endpoint-config", "update-endpoint"]
NEW_CONFIG = ["create-endpoint-config", "update-endpoint"]


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"subnets": "subnet-1,subnet-2", "security_groups": "sg-1"}, NEW_MODEL),
        ({"network_isolation": True}, NEW_MODEL),
        ({"kms_key": "alias/models"}, NEW_CONFIG),
        ({"volume_size_gb": 50}, NEW_CONFIG),
    ],
)
def test_a_changed_field_is_planned_and_then_there_is_nothing_to_do(deployed, change, steps):
    deployed()
    assert deployed(**change) == steps
    assert deployed(**change) == []
    assert deployed() == steps
    assert deployed() == []


def test_requirements_are_refused_where_nothing_can_be_installed(target, tmp_path, half_plus_two):
    model = with_code(tmp_path, half_plus_two)
    (model / "code" / "requirements.txt").write_text("scipy\n")
    artifact = Artifact("2.20.0", 10_000, 4, model)
    with pytest.raises(UserError, match="cannot be installed without a network"):
        target(network_isolation=True).check(artifact)
    assert target().check(artifact)
