"""Whose a SageMaker resource is, where it is not an endpoint of one model."""

from __future__ import annotations

import pytest
from cloudserve.adapters.aws.sagemaker.provider import create

from cloudserve.errors import ConflictError
from cloudserve.predict.batch import Batch
from cloudserve.project import Target
from cloudserve.testing.provider_steps import locate, perform, plan, promote, put
from tests.adapters.aws.conftest import ROLE, deploy

OWN = ["cloudserve-project", "cloudserve-target", "cloudserve-bucket"]
HERE = "not on the endpoint"


@pytest.fixture
def make(bucket, region, clouds):
    """Give what makes the provider of a target, by its name and what of its bucket's."""

    def make(name, suffix="", **more):
        fields = {
            "bucket": f"s3://{bucket}{suffix}",
            "role_arn": ROLE,
            "region": region,
            "image": f"000000000000.dkr.ecr.{region}.amazonaws.com/tensorflow-inference:2.20-cpu",
            **more,
        }
        return create(Target(name, "sagemaker", fields, f"targets.{name}"), clouds)

    return make


def take_down(sagemaker):
    sagemaker.delete_endpoint(EndpointName="half")
    pace = {"Delay": 0.05, "MaxAttempts": 200}
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="half", WaiterConfig=pace)


def tags_of(sagemaker, arn):
    return {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}


def test_an_endpoint_of_many_models_belongs_to_one_target(make, client, bucket, half_plus_two):
    deploy(make("prod", multi_model="all"), 1, half_plus_two)
    for rival in (make("staging", multi_model="all"), make("prod", "-2", multi_model="all")):
        with pytest.raises(ConflictError, match="endpoint all belongs to the target prod"):
            rival.read("other")
    sagemaker = client("sagemaker")
    arn = sagemaker.describe_endpoint(EndpointName="all")["EndpointArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=OWN)
    with pytest.raises(ConflictError, match=f"its files are in the bucket {bucket}$"):
        make("prod", "-2", multi_model="all").read("other")
    # Another machine makes another configuration: the next change of the endpoint.
    deploy(make("prod", multi_model="all", instance_count=2), 2, half_plus_two)
    assert tags_of(sagemaker, arn)["cloudserve-target"] == "prod"


def test_an_endpoint_of_inference_components_is_left_alone(make, client, bucket):
    sagemaker = client("sagemaker")
    variant = {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName="half", ProductionVariants=[variant], ExecutionRoleArn=ROLE
    )
    own = dict.fromkeys(OWN, "prod") | {"cloudserve-bucket": bucket, "cloudserve-model": "half"}
    tags = [{"Key": key, "Value": value} for key, value in own.items()]
    sagemaker.create_endpoint(EndpointName="half", EndpointConfigName="half", Tags=tags)
    with pytest.raises(ConflictError, match="endpoint half hosts inference components") as caught:
        make("prod").read("half")
    assert "endpoint_name" in caught.value.hint
    take_down(sagemaker)


def test_a_sagemaker_model_of_another_owner_is_refused_by_the_plan(
    make, client, bucket, half_plus_two
):
    """Its endpoint is gone; the plan would make a SageMaker Model of its name."""
    one = deploy(make("staging"), 1, half_plus_two)
    take_down(client("sagemaker"))
    prod = make("prod", "-2")
    put(prod, "half", 1, half_plus_two)
    assert prod.read("half").deployment.revisions == ()
    with pytest.raises(ConflictError, match=f"Model half-{one.id} belongs to the target staging"):
        plan(prod, "half", one)
    result = client("sagemaker").describe_model(ModelName=f"half-{one.id}")
    assert bucket in str(result["PrimaryContainer"])


def test_a_package_group_of_another_owner_is_refused(make, client, half_plus_two):
    deploy(make("staging", package_group="halves", endpoint_name="one"), 1, half_plus_two)
    prod = make("prod", package_group="halves", endpoint_name="two")
    one = put(prod, "half", 1, half_plus_two)
    with pytest.raises(ConflictError, match="group halves belongs to the target staging") as error:
        plan(prod, "half", one)
    assert "`package_group`" in error.value.hint
    listed = client("sagemaker").list_model_packages(ModelPackageGroupName="halves")
    assert len(listed["ModelPackageSummaryList"]) == 1


def test_a_package_group_from_before_owners_belongs_to_its_packages_bucket(
    make, client, bucket, half_plus_two
):
    deploy(make("prod", package_group="halves"), 1, half_plus_two)
    sagemaker = client("sagemaker")
    group = sagemaker.describe_model_package_group(ModelPackageGroupName="halves")
    arn = group["ModelPackageGroupArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=OWN)
    other = make("prod", "-2", package_group="halves", endpoint_name="two")
    one = put(other, "half", 1, half_plus_two)
    with pytest.raises(ConflictError, match=f"group halves has models of the bucket {bucket}$"):
        plan(other, "half", one)
    deploy(make("prod", package_group="halves"), 2, half_plus_two)
    assert tags_of(sagemaker, arn)["cloudserve-bucket"] == bucket


def test_a_batch_runs_no_model_of_another_owner(make, client, half_plus_two):
    one = deploy(make("staging", archive=True), 1, half_plus_two)
    take_down(client("sagemaker"))
    jobs = Batch(("s3://inputs/x.jsonl",), "s3://inputs/out")
    with pytest.raises(ConflictError, match="belongs to the target staging"):
        make("prod", archive=True).batch("half", one.id, jobs, print)
    assert client("sagemaker").list_transform_jobs()["TransformJobSummaries"] == []


def test_a_revision_that_left_the_endpoint_says_so(make, half_plus_two, half_plus_three):
    provider = make("prod")
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_three)
    promote(provider, "half", two)
    deploy(provider, 3, half_plus_two)
    reasons = {d.revision.number: d.reason for d in provider.read("half").deployment.revisions}
    assert reasons == {1: HERE, 2: None, 3: None}
    promote(provider, "half", one)
    assert provider.read("half").deployment.find(one.id).reason is None


def test_a_revision_without_an_endpoint_says_so(make, client, half_plus_two):
    provider = make("prod", serverless_memory_mb=2048)
    one = deploy(provider, 1, half_plus_two)
    take_down(client("sagemaker"))
    assert provider.read("half").deployment.find(one.id).reason == HERE
    perform(provider, plan(provider, "half", one))
    assert provider.read("half").deployment.find(one.id).reason is None
    assert locate(provider, "half", one).bucket == provider.blobs.url
