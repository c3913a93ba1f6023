"""Incompatible options, and the operation that rejects them."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:1"

SERVERLESS = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 0,
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        }
    }
}
ROLLING = {
    "RollingUpdatePolicy": {
        "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 0,
    }
}


@pytest.fixture
def serverless(aws, fresh, archived):
    """Provide what makes serverless variants of a model that is an archive."""
    aws.add_model(fresh, archived["double"])
    return lambda name: aws.variant(name, fresh, ServerlessConfig=SERVERLESS)


class TestServerless:
    def test_there_is_one_variant(self, aws, fresh, serverless):
        with pytest.raises(ClientError, match="no more than one serverless"):
            aws.add_config(fresh, serverless("a"), serverless("b"))
        aws.add_config(fresh, serverless("a"))

    def test_it_is_not_beside_instances(self, aws, fresh, serverless):
        with pytest.raises(ClientError, match="cannot be mixed"):
            aws.add_config(fresh, serverless("a"), aws.variant("b", fresh))

    @pytest.mark.parametrize("more", [{"VpcConfig": VPC}, {"EnableNetworkIsolation": True}])
    def test_it_is_in_no_network_of_ones_own(self, aws, fresh, serverless, archived, more):
        (field,) = more
        with pytest.raises(ClientError, match=f"{field} is not supported for serverless prod"):
            aws.add_config(fresh, serverless("a"), **more)
        container = {
            "Image": IMAGE,
            "ModelDataUrl": archived["double"],
        }
        role = "arn:aws:iam::000000000000:role/serving"
        aws.sm.create_model(
            ModelName=f"{fresh}-x", PrimaryContainer=container, ExecutionRoleArn=role, **more
        )
        with pytest.raises(ClientError, match=f"{field} of a model is not supported"):
            aws.add_config(fresh, serverless("a") | {"ModelName": f"{fresh}-x"})

    def test_it_serves_one_model(self, aws, fresh, serverless):
        aws.add_multi_model(f"{fresh}-many", "s3://models/")
        with pytest.raises(ClientError, match="multi-model container cannot be used"):
            aws.add_config(fresh, serverless("a") | {"ModelName": f"{fresh}-many"})

    def test_deployment_guardrails_are_not_for_it(self, aws, fresh, serverless):
        aws.add_config(fresh, serverless("a"))
        with pytest.raises(ClientError, match="DeploymentConfig is not supported for serverless"):
            aws.sm.create_endpoint(
                EndpointName=fresh, EndpointConfigName=fresh, DeploymentConfig=CANARY
            )
        aws.add_endpoint(fresh)
        for policy in (CANARY, ROLLING):
            with pytest.raises(ClientError, match="DeploymentConfig is not supported for serv"):
                aws.sm.update_endpoint(
                    EndpointName=fresh, EndpointConfigName=fresh, DeploymentConfig=policy
                )


def test_inf1_has_no_shadow_tests_and_no_guardrails(aws, fresh, archived):
    aws.add_model(fresh, archived["double"], image=IMAGE)
    a, b = (aws.variant(name, fresh, InstanceType="ml.inf1.xlarge") for name in "ab")
    with pytest.raises(ClientError, match="not supported with Inf1 instances"):
        aws.add_config(fresh, a, ShadowProductionVariants=[b])
    aws.add_config(fresh, a)
    with pytest.raises(ClientError, match="DeploymentConfig is not available offline with Inf1"):
        aws.sm.create_endpoint(
            EndpointName=fresh, EndpointConfigName=fresh, DeploymentConfig=CANARY
        )


def test_one_production_variant_has_a_weight(aws, fresh):
    aws.add_model(fresh, "s3://models/double/")
    with pytest.raises(ClientError, match="all have a weight of 0 are not available offline"):
        aws.add_config(fresh, aws.variant("a", fresh, 0), aws.variant("b", fresh, 0))


@pytest.mark.parametrize(
    ("image", "instance"),
    [(None, "ml.g4dn.xlarge"), (IMAGE, "ml.p4d.24xlarge"), (IMAGE, "ml.inf1.xlarge")],
)
def test_many_models_on_accelerators_that_they_cannot_use(aws, fresh, image, instance):
    """The text is sagemaker-python-sdk#1323's."""
    aws.add_multi_model(fresh, "s3://models/", **({"Image": image} if image else {}))
    with pytest.raises(ClientError) as error:
        aws.add_config(fresh, aws.variant("a", fresh, InstanceType=instance))
    text = f"MultiModel mode is not supported for instance type {instance}."
    assert error.value.response["Error"]["Message"] == text


def test_many_models_of_a_container_of_ones_own_on_a_gpu(aws, fresh):
    aws.add_multi_model(fresh, "s3://models/", Image=IMAGE)
    aws.add_config(fresh, aws.variant("a", fresh, InstanceType="ml.g5.xlarge"))


class TestGuardedUpdates:
    @pytest.fixture
    def endpoint(self, aws, fresh):
        """Provide an endpoint of the variant `a`, and configurations of `b`, and of both."""
        aws.add_model(fresh, "s3://models/double/")
        a, b = aws.variant("a", fresh), aws.variant("b", fresh)
        aws.add_config(fresh, a)
        aws.add_config(f"{fresh}-b", b)
        aws.add_config(f"{fresh}-both", a, b)
        aws.add_endpoint(fresh)
        return fresh

    @pytest.mark.parametrize("policy", [CANARY, ROLLING])
    @pytest.mark.parametrize("config", ["b", "both"])
    def test_variants_keep_their_names(self, aws, endpoint, config, policy):
        before = aws.describe(endpoint)
        with pytest.raises(ClientError, match="must have the same variant names as the old one"):
            aws.sm.update_endpoint(
                EndpointName=endpoint,
                EndpointConfigName=f"{endpoint}-{config}",
                DeploymentConfig=policy,
            )
        after = aws.describe(endpoint)
        for item in (before, after):
            del item["ResponseMetadata"]
        assert after == before

    def test_a_retained_policy_applies_too(self, aws, endpoint):
        aws.sm.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=endpoint, DeploymentConfig=CANARY
        )
        aws.settled(endpoint)
        with pytest.raises(ClientError, match="must have the same variant names"):
            aws.sm.update_endpoint(
                EndpointName=endpoint,
                EndpointConfigName=f"{endpoint}-b",
                RetainDeploymentConfig=True,
            )

    def test_without_a_policy_they_may_change(self, aws, endpoint):
        aws.sm.update_endpoint(EndpointName=endpoint, EndpointConfigName=f"{endpoint}-both")
        names = {v["VariantName"] for v in aws.settled(endpoint)["ProductionVariants"]}
        assert names == {"a", "b"}
        with pytest.raises(ClientError, match="not supported for multi-variant endpoints"):
            aws.sm.update_endpoint(
                EndpointName=endpoint,
                EndpointConfigName=f"{endpoint}-both",
                DeploymentConfig=ROLLING,
            )


class TestModelData:
    def test_many_models_are_archives(self, aws, fresh):
        source = {"S3Uri": "s3://models/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        data = {"ModelDataSource": {"S3DataSource": source}}
        with pytest.raises(ClientError, match="ModelDataSource cannot be used with multi-model"):
            aws.sm.create_model(
                ModelName=fresh,
                ExecutionRoleArn="arn:aws:iam::000000000000:role/serving",
                PrimaryContainer={
                    "Image": IMAGE,
                    "Mode": "MultiModel",
                }
                | data,
            )

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("s3://models/double/", "Could not find model data at"),
            ("s3://models", "Could not find model data at"),
            ("s3://models/doub", r"must point to a gzip compressed tar archive, \.tar\.gz"),
            ("s3://models/doub.tar.gz", "Could not find model data at"),
            ("s3://models/.tar.gz", "Could not find model data at"),
        ],
    )
    def test_a_model_data_url_is_one_object(self, aws, fresh, url, said):
        with pytest.raises(ClientError, match=said):
            aws.sm.create_model(
                ModelName=fresh,
                ExecutionRoleArn="arn:aws:iam::000000000000:role/serving",
                PrimaryContainer={
                    "Image": IMAGE,
                    "ModelDataUrl": url,
                },
            )

    def test_a_whole_bucket_is_a_prefix(self, aws, fresh, models):
        aws.running.upload(fresh, "", models / "double")
        aws.add_model(fresh, f"s3://{fresh}/")
        aws.add_config(fresh, aws.variant("main", fresh))
        aws.add_endpoint(fresh)
        assert b"2.0" in aws.invoke(fresh)

    @pytest.mark.parametrize("field", ["ManifestS3Uri", "ETag"])
    def test_fields_that_choose_other_bytes_are_refused(self, aws, fresh, field):
        source = {"S3Uri": "s3://models/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        more = {"ModelDataSource": {"S3DataSource": source | {field: "s3://models/x"}}}
        with pytest.raises(ClientError, match=f"{field} of an S3DataSource is not available"):
            aws.sm.create_model(
                ModelName=fresh,
                ExecutionRoleArn="arn:aws:iam::000000000000:role/serving",
                PrimaryContainer={"Image": IMAGE} | more,
            )


def test_a_shadow_is_the_only_one_of_the_only_variant(aws, fresh):
    aws.add_model(fresh, "s3://models/double/")
    a, b, c = (aws.variant(name, fresh) for name in "abc")
    for variants, shadows in (((a, b), [c]), ((a,), [b, c])):
        with pytest.raises(ClientError, match="A shadow variant needs exactly one"):
            aws.add_config(fresh, *variants, ShadowProductionVariants=shadows)


def test_a_shadow_is_of_an_endpoint_that_answers_at_once(aws, fresh):
    aws.add_model(fresh, "s3://models/double/")
    output = {"OutputConfig": {"S3OutputPath": "s3://models/out"}}
    with pytest.raises(ClientError, match="not supported with AsyncInferenceConfig"):
        aws.add_config(
            fresh,
            aws.variant("a", fresh),
            ShadowProductionVariants=[aws.variant("b", fresh)],
            AsyncInferenceConfig=output,
        )


def test_a_shadow_is_of_one_model(aws, fresh):
    aws.add_multi_model(fresh, "s3://models/")
    shadows = [aws.variant("b", fresh)]
    with pytest.raises(ClientError, match="multi-model container cannot be used with Shadow"):
        aws.add_config(fresh, aws.variant("a", fresh), ShadowProductionVariants=shadows)


def test_a_resource_has_no_more_than_fifty_tags(aws, fresh):
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    arn = aws.sm.create_model_package_group(ModelPackageGroupName=fresh, Tags=tags)[
        "ModelPackageGroupArn"
    ]
    aws.sm.add_tags(ResourceArn=arn, Tags=[{"Key": "k1", "Value": "another"}])
    with pytest.raises(ClientError, match="no more than 50 tags"):
        aws.sm.add_tags(ResourceArn=arn, Tags=[{"Key": "one more", "Value": ""}])
    result = aws.sm.list_tags(ResourceArn=arn)["Tags"]
    assert len(result) == 50


def test_a_weight_is_no_larger_than_a_float(aws, fresh):
    aws.add_model(fresh, "s3://models/double/")
    most = 3.4e38
    aws.add_config(fresh, aws.variant("a", fresh, most), aws.variant("b", fresh, most))
    aws.add_endpoint(fresh)
    assert b"2.0" in aws.invoke(fresh)
    with pytest.raises(ClientError, match="out of range for Float"):
        aws.add_config(f"{fresh}-2", aws.variant("a", fresh, 1e39))
