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


TAGS = [{"Key": "k", "Value": "v"}]
NO_TAGS = "Tags are not supported in Model Package versions"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"Tags": TAGS}, NO_TAGS),
        ({"ModelPackageName": "a"}, "Both ModelPackageName and ModelPackageGroupName are provided"),
        ({"CertifyForMarketplace": True}, "CertifyForMarketplace is not available offline"),
        (
            {"AdditionalInferenceSpecifications": [{"Name": "a", **SPECIFICATION}] * 2},
            "must be unique",
        ),
    ],
)
def test_packages_that_the_service_refuses(add, more, text):
    with pytest.raises(ClientError, match=text):
        add(**more)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            {"AdditionalS3DataSource": {"S3DataType": "S3Object", "S3Uri": "s3://models/x"}},
            "AdditionalS3DataSource is not allowed in InferenceSpecification",
        ),
        ({"Environment": {f"N{number}": "x" for number in range(17)}}, "more than 16"),
    ],
)
def test_containers_that_the_service_refuses(aws, add, more, text):
    specification = {"Containers": [SPECIFICATION["Containers"][0] | more]}
    with pytest.raises(ClientError, match=text):
        add(InferenceSpecification=specification)
    with pytest.raises(ClientError, match=text):
        aws.sm.update_model_package(ModelPackageArn=add(), InferenceSpecification=specification)


def test_a_package_takes_no_tags_later(aws, add):
    with pytest.raises(ClientError, match=NO_TAGS):
        aws.sm.add_tags(ResourceArn=add(), Tags=TAGS)


def test_nothing_of_a_package_is_ignored_silently(aws, group, add):
    def make(**more):
        aws.sm.create_model(ModelName=group, ExecutionRoleArn=ROLE, PrimaryContainer=more)

    container = SPECIFICATION["Containers"][0] | {"ModelDataETag": "x"}
    approved = {"ModelApprovalStatus": "Approved"}
    package = add(InferenceSpecification={"Containers": [container]}, **approved)
    with pytest.raises(ClientError, match="ModelDataETag of a model package's container"):
        make(ModelPackageName=package)
    with pytest.raises(ClientError, match="InferenceSpecificationName is not available"):
        make(ModelPackageName=add(**approved), InferenceSpecificationName="other")
    with pytest.raises(ClientError, match="AdditionalInferenceSpecificationsToAdd is not avail"):
        aws.sm.update_model_package(
            ModelPackageArn=package,
            AdditionalInferenceSpecificationsToAdd=[{"Name": "a", **SPECIFICATION}],
        )


def test_packages_are_listed_by_their_kind_and_time(aws, group, add):
    add()
    created = aws.sm.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"][0][
        "CreationTime"
    ]
    for query, found in (
        ({"ModelPackageType": "Versioned", "CreationTimeAfter": created}, 1),
        ({"CreationTimeBefore": created.replace(year=2000)}, 0),
        ({"ModelPackageType": "Unversioned"}, 0),
    ):
        listed = aws.sm.list_model_packages(ModelPackageGroupName=group, **query)
        assert len(listed["ModelPackageSummaryList"]) == found
    with pytest.raises(ClientError, match="of all groups is not available offline"):
        aws.sm.list_model_packages(ModelPackageType="Both")


def test_missing_resources(aws, fresh):
    with pytest.raises(ClientError, match="Could not find model package group"):
        aws.sm.create_model_package(ModelPackageGroupName=fresh)
    with pytest.raises(ClientError, match="Missing ARN"):
        aws.sm.create_model_package()
    with pytest.raises(ClientError, match="Could not find model package"):
        aws.sm.describe_model_package(ModelPackageName=f"{ARN}:model-package/{fresh}/1")
