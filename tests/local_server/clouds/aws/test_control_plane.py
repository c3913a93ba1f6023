"""SageMaker's lists, tags and errors for boto3, and STS."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import ROLE, prefix_source, refusal

ARN = "arn:aws:sagemaker:us-east-1:000000000000"


class TestRefusals:
    def test_taken_names(self, sm, two_variants, add_model, add_config):
        with pytest.raises(ClientError) as caught:
            add_model(f"{two_variants}-2", "s3://models/double/")
        assert caught.value.response["Error"] == {
            "Code": "ValidationException",
            "Message": f'Cannot create already existing model "{ARN}:model/{two_variants}-2".',
        }
        with pytest.raises(ClientError, match="already existing endpoint configuration"):
            add_config(two_variants, ("main", f"{two_variants}-2", 1))
        arguments = {"EndpointName": two_variants, "EndpointConfigName": two_variants}
        assert refusal(sm.create_endpoint, **arguments)[1] == (
            f'Cannot create already existing endpoint "{ARN}:endpoint/{two_variants}".'
        )

    def test_a_configuration_needs_existing_models(self, sm, add_config, fresh):
        with pytest.raises(ClientError, match=r'Could not find model "arn:.*:model/nope"'):
            add_config(fresh, ("main", "nope", 1))
        assert refusal(sm.describe_endpoint_config, EndpointConfigName=fresh)[1] == (
            f'Could not find endpoint configuration "{ARN}:endpoint-config/{fresh}".'
        )

    def test_a_name_against_the_service_model(self, sm):
        arguments = {"ModelName": "a_b", "PrimaryContainer": prefix_source("s3://models/double/")}
        text = (
            "1 validation error detected: Value 'a_b' at 'modelName' failed to satisfy constraint:"
            " Member must satisfy regular expression pattern:"
            r" [a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?"
        )
        assert refusal(sm.create_model, **arguments) == ("ValidationException", text)

    def test_an_operation_that_is_not_emulated(self, sm):
        assert refusal(sm.list_hubs) == (
            "UnsupportedOperationException",
            "ListHubs is not available offline.",
        )


class TestListingsAndTags:
    def test_pages_follow_each_other(self, sm, fresh, add_model):
        wanted = [f"{fresh}-{number}" for number in range(5)]
        for name in wanted:
            add_model(name, "s3://models/double/")
        pages = sm.get_paginator("list_models").paginate(
            NameContains=fresh,
            SortBy="Name",
            SortOrder="Ascending",
            PaginationConfig={"PageSize": 2},
        )
        observed = [[model["ModelName"] for model in page["Models"]] for page in pages]
        assert observed == [wanted[:2], wanted[2:4], wanted[4:]]

    def test_the_newest_comes_first(self, sm, fresh, add_model):
        for number in range(3):
            add_model(f"{fresh}-{number}", "s3://models/double/")
        result = sm.list_models(NameContains=fresh)["Models"]
        assert [model["ModelName"][-1] for model in result] == ["2", "1", "0"]

    def test_endpoints_are_listed_by_status(self, sm, two_variants):
        result = sm.list_endpoints(NameContains=two_variants, StatusEquals="InService")["Endpoints"]
        assert [endpoint["EndpointName"] for endpoint in result] == [two_variants]
        failed = sm.list_endpoints(NameContains=two_variants, StatusEquals="Failed")
        assert failed["Endpoints"] == []

    def test_tags_are_added_listed_and_removed(self, sm, fresh):
        sm.create_model(
            ModelName=fresh,
            ExecutionRoleArn=ROLE,
            PrimaryContainer=prefix_source("s3://models/double/"),
            Tags=[{"Key": "digest", "Value": "abc"}],
        )
        arn = f"{ARN}:model/{fresh}"
        sm.add_tags(ResourceArn=arn, Tags=[{"Key": "revision", "Value": "v1 é"}])
        assert sm.list_tags(ResourceArn=arn)["Tags"] == [
            {"Key": "digest", "Value": "abc"},
            {"Key": "revision", "Value": "v1 é"},
        ]
        sm.delete_tags(ResourceArn=arn, TagKeys=["digest"])
        assert [tag["Key"] for tag in sm.list_tags(ResourceArn=arn)["Tags"]] == ["revision"]

    def test_tags_of_nothing_are_refused(self, sm):
        arn = f"{ARN}:model/nope"
        assert refusal(sm.list_tags, ResourceArn=arn) == (
            "ValidationException",
            f'Could not find resource "{arn}".',
        )

    def test_regions_are_apart(self, clouds, sm, fresh, add_model):
        add_model(fresh, "s3://models/double/")
        import boto3

        west = boto3.client(
            "sagemaker",
            endpoint_url=clouds.url,
            region_name="eu-west-1",
            aws_access_key_id="cloudserve",
            aws_secret_access_key="cloudserve",
        )
        assert refusal(west.describe_model, ModelName=fresh)[1] == (
            f'Could not find model "arn:aws:sagemaker:eu-west-1:000000000000:model/{fresh}".'
        )


def test_sts_names_the_offline_account(clouds):
    assert clouds.aws("sts").get_caller_identity()["Account"] == "000000000000"
