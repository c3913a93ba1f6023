"""The model registry: numbered packages, their approval, and models made from them."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/serving"
ARN = "arn:aws:sagemaker:us-east-1:000000000000"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu-py312"
SPECIFICATION = {
    "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://models/packed.tar.gz"}],
    "SupportedContentTypes": ["application/json"],
    "SupportedResponseMIMETypes": ["application/json"],
}


@pytest.fixture
def group(aws, fresh):
    created = aws.sm.create_model_package_group(
        ModelPackageGroupName=fresh, Tags=[{"Key": "k", "Value": "v"}]
    )
    assert created["ModelPackageGroupArn"] == f"{ARN}:model-package-group/{fresh}"
    return fresh


@pytest.fixture
def add(aws, group):
    def create(**more) -> str:
        arguments = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION}
        return aws.sm.create_model_package(**arguments | more)["ModelPackageArn"]

    return create


def test_packages_are_numbered_in_their_group(aws, group, add):
    arns = [add() for _ in range(11)]
    assert arns == [f"{ARN}:model-package/{group}/{number}" for number in range(1, 12)]
    result = aws.sm.list_model_packages(ModelPackageGroupName=group)
    versions = [package["ModelPackageVersion"] for package in result["ModelPackageSummaryList"]]
    assert versions == list(range(11, 1, -1))
    rest = aws.sm.list_model_packages(ModelPackageGroupName=group, NextToken=result["NextToken"])
    assert [p["ModelPackageVersion"] for p in rest["ModelPackageSummaryList"]] == [1]


def test_a_repeated_token_creates_one_package(add):
    assert add(ClientToken="once") == add(ClientToken="once")
    assert add(ClientToken="twice") != add(ClientToken="once")


def test_a_package_waits_for_approval_and_is_found_by_it(aws, group, add):
    arn = add(CustomerMetadataProperties={"digest": "abc", "old": "x"})
    described = aws.sm.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["ModelPackageStatus"] == "Completed"
    assert described["InferenceSpecification"] == SPECIFICATION
    aws.sm.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="it is good",
        CustomerMetadataProperties={"by": "me"},
        CustomerMetadataPropertiesToRemove=["old"],
    )
    described = aws.sm.describe_model_package(ModelPackageName=arn)
    assert described["ApprovalDescription"] == "it is good"
    assert described["CustomerMetadataProperties"] == {"digest": "abc", "by": "me"}
    add()
    approved = aws.sm.list_model_packages(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved"
    )
    assert [p["ModelPackageArn"] for p in approved["ModelPackageSummaryList"]] == [arn]


def test_a_model_is_made_of_a_package(aws, group, add):
    aws.s3.put_object(Bucket="models", Key="packed.tar.gz", Body=b"looked at when it is loaded")
    aws.sm.create_model(
        ModelName=group,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"ModelPackageName": add(ModelApprovalStatus="Approved")},
    )
    container = aws.sm.describe_model(ModelName=group)["PrimaryContainer"]
    assert container["Image"] == IMAGE
    assert container["ModelDataUrl"] == "s3://models/packed.tar.gz"
    aws.s3.delete_object(Bucket="models", Key="packed.tar.gz")


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_a_package_that_is_not_approved_makes_no_model(aws, group, add, status):
    package = add(ModelApprovalStatus=status)
    with pytest.raises(ClientError) as error:
        aws.sm.create_model(
            ModelName=group, ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": package}
        )
    assert error.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": f"Model package {package} cannot be deployed: its ModelApprovalStatus is"
        f" {status}, and for versioned models it must be set to Approved.",
    }
    with pytest.raises(ClientError, match="Could not find model"):
        aws.sm.describe_model(ModelName=group)


def test_a_model_whose_package_was_rejected_since_is_not_deployed(aws, group, add):
    aws.s3.put_object(Bucket="models", Key="packed.tar.gz", Body=b"never looked at")
    package = add(ModelApprovalStatus="Approved")
    aws.sm.create_model(
        ModelName=group, ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": package}
    )
    aws.sm.create_endpoint_config(
        EndpointConfigName=group,
        ProductionVariants=[
            {
                "VariantName": "v",
                "ModelName": group,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
    )
    aws.sm.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Rejected")
    with pytest.raises(ClientError, match="its ModelApprovalStatus is Rejected"):
        aws.sm.create_endpoint(EndpointName=group, EndpointConfigName=group)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        aws.sm.describe_endpoint(EndpointName=group)
    aws.s3.delete_object(Bucket="models", Key="packed.tar.gz")


def test_a_group_is_deleted_after_its_packages(aws, group, add):
    arn = add()
    with pytest.raises(ClientError, match="still holds model packages"):
        aws.sm.delete_model_package_group(ModelPackageGroupName=group)
    aws.sm.delete_model_package(ModelPackageName=arn)
    aws.sm.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="Could not find model package group"):
        aws.sm.describe_model_package_group(ModelPackageGroupName=group)


def test_tags_of_groups_are_kept(aws, group):
    tags = aws.sm.list_tags(ResourceArn=f"{ARN}:model-package-group/{group}")["Tags"]
    assert tags == [{"Key": "k", "Value": "v"}]


def test_missing_resources(aws, fresh):
    with pytest.raises(ClientError, match="Could not find model package group"):
        aws.sm.create_model_package(ModelPackageGroupName=fresh)
    with pytest.raises(ClientError, match="Could not find model package"):
        aws.sm.describe_model_package(ModelPackageName=f"{ARN}:model-package/{fresh}/1")
