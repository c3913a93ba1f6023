"""What only the text of the API reference forbids, and botocore's model does not check."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import IMAGE, ROLE

DATA = {"S3Uri": "s3://models/double/", "S3DataType": "S3Prefix", "CompressionType": "None"}
CONTAINER = {"Image": IMAGE, "ModelDataSource": {"S3DataSource": DATA}}


@pytest.fixture(scope="module")
def model(aws):
    aws.add_model("documented-limits", "s3://models/double/")
    return "documented-limits"


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"RoutingStrategy": "KV_AWARE"}, "KV_AWARE is not available offline"),
        ({"RoutingStrategy": "PREFIX_AWARE"}, "PrefixLength is required"),
        (
            {
                "RoutingStrategy": "PREFIX_AWARE",
                "PrefixAwareRoutingConfig": {"PrefixLength": 1024},
            },
            "ConcurrencyThreshold is required",
        ),
        (
            {"RoutingStrategy": "RANDOM", "PrefixAwareRoutingConfig": {"PrefixLength": 1024}},
            "needs the RoutingStrategy PREFIX_AWARE",
        ),
    ],
)
def test_routing(aws, model, config, text):
    with pytest.raises(ClientError, match=text):
        aws.add_config("routed", aws.variant("main", model, RoutingConfig=config))


def test_a_complete_routing_is_shown(aws, model, fresh):
    prefix = {"PrefixLength": 1024, "ConcurrencyThreshold": 4}
    routing = {"RoutingStrategy": "PREFIX_AWARE", "PrefixAwareRoutingConfig": prefix}
    aws.add_config(fresh, aws.variant("main", model, RoutingConfig=routing))
    (shown,) = aws.add_endpoint(fresh)["ProductionVariants"]
    assert shown["RoutingConfig"] == routing


def test_frequencies_of_metrics(aws, model, fresh):
    with pytest.raises(ClientError, match="is 45; it must be one of 10, 30, 60"):
        aws.add_config(
            fresh,
            aws.variant("main", model),
            MetricsConfig={"MetricPublishFrequencyInSeconds": 45},
        )
    endpoints = [{"MetricsEndpointPath": "/metrics", "MetricPublishFrequencyInSeconds": 1}]
    with pytest.raises(ClientError, match="is 1; it must be one of"):
        create(aws, fresh, ContainerMetricsConfig={"MetricsEndpoints": endpoints})


def create(aws, name: str, **more) -> None:
    aws.sm.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=CONTAINER | more)


def test_the_variables_of_all_containers_count_together(aws, fresh):
    half = {f"NAME_{number}": "x" * 1000 for number in range(20)}
    containers = [CONTAINER | {"ContainerHostname": each, "Environment": half} for each in "ab"]
    with pytest.raises(ClientError, match="Environment have 40260 bytes; the maximum is 32768"):
        aws.sm.create_model(ModelName=fresh, ExecutionRoleArn=ROLE, Containers=containers)
    create(aws, fresh, Environment=half)


def test_model_data_is_an_archive_by_its_name(aws, fresh, archived):
    key = archived["double"].removeprefix("s3://models/")
    source = {"Bucket": "models", "Key": key}
    aws.s3.copy_object(Bucket="models", Key=f"{fresh}.tgz", CopySource=source)
    with pytest.raises(ClientError, match="must point to a gzip compressed tar archive"):
        aws.add_model(fresh, f"s3://models/{fresh}.tgz")


def test_credentials_belong_to_a_registry_in_the_vpc(aws, fresh):
    arn = "arn:aws:lambda:us-east-1:000000000000:function:credentials"
    auth = {"RepositoryCredentialsProviderArn": arn}
    config = {"RepositoryAccessMode": "Platform", "RepositoryAuthConfig": auth}
    with pytest.raises(ClientError, match="only supported with the RepositoryAccessMode Vpc"):
        create(aws, fresh, ImageConfig=config)


def test_a_batch_strategy_needs_records(aws, fresh, archived):
    aws.add_model(fresh, archived["double"])
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://models/input/"}
    with pytest.raises(ClientError, match="BatchStrategy needs a SplitType"):
        aws.sm.create_transform_job(
            TransformJobName=fresh,
            ModelName=fresh,
            BatchStrategy="MultiRecord",
            TransformInput={"DataSource": {"S3DataSource": source}},
            TransformOutput={"S3OutputPath": "s3://models/output"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )
