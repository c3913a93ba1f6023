"""Network, encryption and tags: from the target's fields to the offline SageMaker and back."""

from __future__ import annotations

import botocore.session
import pytest

from cloudserve.errors import ProjectError, UserError
from cloudserve.release.types import Artifact
from cloudserve.testing.provider_steps import perform, plan, put
from tests.adapters.aws.sagemaker.model_files.test_code import with_code

SERVICE = botocore.session.get_session().get_service_model("sagemaker")
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
    # The order of a list is no change.
    assert deployed(**FIELDS | {"subnets": "subnet-2,subnet-1"}) == []


NEW_MODEL = ["delete-model", "create-model", "create-endpoint-config", "update-endpoint"]
NEW_CONFIG = ["create-endpoint-config", "update-endpoint"]
TAGS = ["set-tags"] * 3
"""Of the endpoint, its configuration and the SageMaker Model."""
TABLE = [
    ("CreateModel", "VpcConfig", {"subnets": "subnet-1,subnet-2", "security_groups": "sg-1"}),
    ("CreateModel", "EnableNetworkIsolation", {"network_isolation": True}),
    ("CreateModel", "ExecutionRoleArn", {"role_arn": "arn:aws:iam::000000000000:role/other"}),
    ("CreateModel", "Tags", {"tags": {"team": "vision", "cost center": "42"}}),
    ("CreateEndpointConfig", "KmsKeyId", {"kms_key": "alias/models"}),
    ("ProductionVariant", "VolumeSizeInGB", {"volume_size_gb": 50}),
    ("ProductionVariant", "ModelDataDownloadTimeoutInSeconds", {"download_seconds": 60}),
    ("ProductionVariant", "ContainerStartupHealthCheckTimeoutInSeconds", {"startup_seconds": 3600}),
]


@pytest.mark.parametrize(("shape", "member", "change"), TABLE, ids=[row[1] for row in TABLE])
def test_a_field_reaches_the_service_and_status_and_a_change_of_it_is_planned(
    deployed, target, shape, member, change
):
    name = shape if shape == "ProductionVariant" else f"{shape}Input"
    assert member in SERVICE.shape_for(name).members
    steps = TAGS if member == "Tags" else NEW_MODEL if shape == "CreateModel" else NEW_CONFIG
    deployed()
    before = settings_of(target())
    assert deployed(**change) == steps
    assert settings_of(target()) == {**before, **change}
    assert deployed(**change) == []
    assert deployed() == steps
    assert deployed() == []
    assert settings_of(target()) == before


def settings_of(provider):
    """Return the fields that `status` shows of the only revision."""
    (revision,) = provider.read("half").deployment.revisions
    return dict(revision.settings)


def test_tags_of_others_are_neither_changed_nor_removed(deployed, target, client):
    deployed(tags={"team": "vision", "stage": "prod"})
    sagemaker = client("sagemaker")
    arn = sagemaker.describe_endpoint(EndpointName="half")["EndpointArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "billed-by", "Value": "finance"}])
    assert deployed(tags={"team": "speech"}) == TAGS
    tags = {t["Key"]: t["Value"] for t in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    own = {name: value for name, value in tags.items() if not name.startswith("cloudserve-")}
    assert own == {"team": "speech", "billed-by": "finance"}
    assert tags["cloudserve-model"] == "half"


def test_a_changed_tag_is_shown_by_name(target, half_plus_two):
    provider = target(tags={"team": "vision", "stage": "prod"})
    revision = put(provider, "half", 1, half_plus_two)
    perform(provider, plan(provider, "half", revision))
    (first, *_) = plan(target(tags={"team": "speech"}), "half", revision)
    assert first.sentence == "tag the endpoint half: team=speech, no stage"


def test_a_role_by_name_is_of_the_callers_account(deployed, target):
    deployed(role_arn=None, role="service-role/serving")
    arn = "arn:aws:iam::000000000000:role/service-role/serving"
    assert settings_of(target())["role_arn"] == arn
    assert deployed(role_arn=arn) == []


def test_one_role_is_required(target):
    with pytest.raises(ProjectError, match="`role_arn` is missing"):
        target(role_arn=None)
    with pytest.raises(ProjectError, match="both name the role"):
        target(role="serving")


def test_requirements_are_refused_where_nothing_can_be_installed(target, tmp_path, half_plus_two):
    model = with_code(tmp_path, half_plus_two)
    (model / "code" / "requirements.txt").write_text("scipy\n")
    artifact = Artifact("2.20.0", 10_000, 4, model)
    with pytest.raises(UserError, match="cannot be installed without a network"):
        target(network_isolation=True).check(artifact)
    assert target().check(artifact)
