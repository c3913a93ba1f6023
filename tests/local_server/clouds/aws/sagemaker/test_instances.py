"""Settings of models, variants and jobs that SageMaker refuses, and so does the offline one."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.protocol.errors import AwsError
from cloudserve.local_server.clouds.aws.sagemaker.instances import check_machine

from tests.local_server.clouds.aws.conftest import IMAGE, ROLE, refusal

SERVERLESS = {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
WITH_DISKS = ("ml.g5.xlarge", "ml.g4dn.xlarge", "ml.m5d.large", "ml.r7gd.large", "ml.trn1.2xlarge")
"""Instances with local storage."""


@pytest.fixture
def model(aws, fresh, archived):
    aws.add_model(fresh, archived["double"])
    return fresh


@pytest.mark.parametrize("kind", WITH_DISKS)
def test_local_storage_has_no_volume_and_may_have_a_key(aws, model, kind):
    """CreateEndpointConfig.KmsKeyId: the key "does not encrypt instance local storage"."""
    variant = aws.variant("main", model, InstanceType=kind)
    with pytest.raises(ClientError, match=f"not allowed for the selected Instance type {kind}"):
        aws.add_config(model, variant | {"VolumeSizeInGB": 30})
    aws.add_config(model, variant, KmsKeyId="alias/models")


def test_other_instances_have_a_key_and_a_volume(aws, model):
    aws.add_config(model, aws.variant("a", model, VolumeSizeInGB=30), KmsKeyId="alias/models")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"AcceleratorType": "ml.eia2.medium"}, "AcceleratorType is no longer supported"),
        (
            {"ManagedInstanceScaling": {"MinInstanceCount": 3, "MaxInstanceCount": 2}},
            "MinInstanceCount must be less than or equal to MaxInstanceCount",
        ),
        (SERVERLESS | {"VolumeSizeInGB": 30}, "VolumeSizeInGB is not supported for serverless"),
        (SERVERLESS | {"InitialInstanceCount": 1}, "InitialInstanceCount is not supported"),
    ],
)
def test_settings_that_contradict_the_variant(aws, model, more, text):
    with pytest.raises(ClientError, match=text):
        aws.add_config(model, aws.variant("main", model, **more))


@pytest.mark.parametrize("kind", ["ml.c7g.large", "ml.m6gd.large", "ml.p6e-gb200.36xlarge"])
def test_an_image_for_x86_does_not_start_on_arm(kind):
    """A Graviton instance fails after minutes (sagemaker-python-sdk#3679)."""
    with pytest.raises(AwsError, match="exec format error"):
        check_machine(IMAGE, kind)
    check_machine("000000000000.dkr.ecr.us-east-1.amazonaws.com/own:1", kind)


@pytest.mark.parametrize("kind", ["ml.c5.large", "ml.c6i.large", "ml.g4dn.xlarge"])
def test_it_starts_elsewhere(kind):
    check_machine(IMAGE, kind)


def test_an_endpoint_on_arm_fails(aws, model):
    aws.add_config(model, aws.variant("main", model, InstanceType="ml.c7g.large"))
    aws.sm.create_endpoint(EndpointName=model, EndpointConfigName=model)
    failed = aws.settled(model)
    assert failed["EndpointStatus"] == "Failed"
    assert "exec format error" in failed["FailureReason"]


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        ({"InstanceType": "ml.m5.large", "InstanceCount": 101}, "the maximum is 100"),
        (
            {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeKmsKeyId": "alias/a"},
            "VolumeKmsKeyId cannot be specified for ml.g5.xlarge",
        ),
    ],
)
def test_machines_that_a_job_cannot_have(aws, model, resources, text):
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/double/"}}
    code, message = refusal(
        aws.sm.create_transform_job,
        TransformJobName=model,
        ModelName=model,
        TransformInput={"DataSource": source},
        TransformOutput={"S3OutputPath": "s3://models/out"},
        TransformResources=resources,
    )
    assert code == "ValidationException"
    assert text in message


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"ExecutionRoleArn": None}, "ExecutionRoleArn is required"),
        ({"Tags": [{"Key": "aws:owner", "Value": "a"}]}, 'begins with "aws:", which is reserved'),
        ({"Tags": [{"Key": "AWS:owner", "Value": "a"}]}, 'begins with "aws:", which is reserved'),
        ({"Tags": [{"Key": "a", "Value": v} for v in "12"]}, "is given more than once"),
        (
            {"Environment": {f"K{n}": "v" * 1000 for n in range(40)}},
            "the maximum is 32768",
        ),
        (
            {"ModelPackageName": "group/1"},
            "Specify one of either Image and Model Data URL or ModelPackageName",
        ),
    ],
)
def test_models_that_sagemaker_refuses(clouds, sm, fresh, archived, more, text):
    plain = Config(parameter_validation=False)
    client = boto3.client(
        "sagemaker",
        region_name="us-east-1",
        endpoint_url=sm.meta.endpoint_url,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=plain,
    )
    of_model = {k: v for k, v in more.items() if k in {"Tags", "ExecutionRoleArn"}}
    container = {"Image": IMAGE, "ModelDataUrl": archived["double"]}
    container |= {k: v for k, v in more.items() if k not in of_model}
    arguments = {"ExecutionRoleArn": ROLE, "PrimaryContainer": container} | of_model
    code, message = refusal(client.create_model, ModelName=fresh, **arguments)
    assert code == "ValidationException"
    assert text in message
    assert refusal(sm.describe_model, ModelName=fresh)[0] == "ValidationException"


def test_a_reserved_tag_is_not_added_later(sm, model):
    arn = sm.describe_model(ModelName=model)["ModelArn"]
    tags = [{"Key": "Aws:a", "Value": "1"}, {"Key": "b", "Value": "1"}]
    assert "is reserved" in refusal(sm.add_tags, ResourceArn=arn, Tags=tags)[1]
    assert sm.list_tags(ResourceArn=arn)["Tags"] == []
