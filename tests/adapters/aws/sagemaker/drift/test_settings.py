"""`diff --target` on SageMaker: each field of the target that SageMaker shows is compared."""

from __future__ import annotations

from dataclasses import fields

import pytest
from cloudserve.adapters.aws.sagemaker.fields.options import Options

from cloudserve.release.inspection.drift import Setting
from tests.adapters.aws.conftest import deploy

SCALED = {"autoscaling": {"min": 1, "max": 3, "invocations_per_instance": 90}}
ROUTING = {"RoutingConfig": {"RoutingStrategy": "RANDOM"}}
HOST = {"PrimaryContainer": {"ContainerHostname": "first"}}
METRICS = {"MetricsConfig": {"EnableEnhancedMetrics": True}}
CHANGES = [
    {"role_arn": "arn:aws:iam::000000000000:role/other"},
    {"instance_type": "ml.c5.xlarge"},
    {"instance_count": 2},
    {"archive": True},
    {"download_seconds": 60},
    {"startup_seconds": 60},
    {"subnets": "subnet-1", "security_groups": "sg-1"},
    {"network_isolation": True},
    {"kms_key": "alias/models"},
    {"volume_size_gb": 50},
    {"serverless_memory_mb": 2048},
    {"capture_percent": 10, "capture_url": "s3://bucket/elsewhere"},
    {"async_output": "s3://bucket/out", "async_failures": "s3://bucket/no", "async_concurrency": 2},
]
NAMED = {
    "env variables": ({"env": {"LEVEL": "2"}}, {"environment variable LEVEL"}),
    "tags": ({"tags": {"team": "vision"}}, {"tag team"}),
    "autoscaling": (
        SCALED,
        {"autoscaling.min", "autoscaling.max", "autoscaling.invocations_per_instance"},
    ),
    "variant": (
        {"extra": {"production_variant": ROUTING}},
        {"extra.production_variant.RoutingConfig.RoutingStrategy"},
    ),
    "model": (
        {"extra": {"create_model": HOST}},
        {"extra.create_model.PrimaryContainer.ContainerHostname"},
    ),
    "config": (
        {"extra": {"create_endpoint_config": METRICS}},
        {"extra.create_endpoint_config.MetricsConfig.EnableEnhancedMetrics"},
    ),
}
NOT_SHOWN = {
    "bucket",  # the owner of the resources
    "region",
    "endpoint_name",
    "multi_model",  # the name of the endpoint
    "role",  # compared as its ARN
    "image",  # compared below
    "tensorflow_version",  # compared as its image
    "rehearse",
    "serverless_concurrency",  # with serverless_memory_mb
    "serverless_provisioned",
    "shadow_percent",  # compared below
    "update",  # how a promotion is done
    "update_percent",
    "update_wait_seconds",
    "update_bake_seconds",
    "alarms",
    "package_group",
    "profile",
    "timeout_seconds",
}


def rows(provider):
    return provider.settings(provider.read("half"))


def names(provider):
    return {row.what.partition(" of ")[0] for row in rows(provider)}


def test_every_field_is_compared_or_known_not_to_be_shown():
    compared = {name for change in CHANGES for name in change}
    compared |= {name for change, _ in NAMED.values() for name in change}
    assert compared | NOT_SHOWN == {field.name for field in fields(Options)}
    assert not compared & NOT_SHOWN


def test_each_field_that_the_project_file_changes_is_a_row(target, region, half_plus_two):
    deploy(target(), 1, half_plus_two)
    assert rows(target()) == ()
    differing = {tuple(change): names(target(**change)) for change in CHANGES}
    assert {change: set(change) - fields for change, fields in differing.items()} == {
        change: set() for change in differing
    }
    assert {key: names(target(**change)) for key, (change, _) in NAMED.items()} == {
        key: fields for key, (_, fields) in NAMED.items()
    }
    image = f"000000000000.dkr.ecr.{region}.amazonaws.com/tensorflow-inference:2.19-cpu"
    assert names(target(image=image)) == {"image"}


def test_each_field_that_the_endpoint_has_and_the_project_file_has_not_is_a_row(
    target, half_plus_two
):
    deployed = {
        "instance_count": 2,
        "subnets": "subnet-1,subnet-2",
        "security_groups": "sg-1",
        "kms_key": "alias/models",
        "volume_size_gb": 50,
        "tags": {"team": "vision"},
        "env": {"LEVEL": "2"},
        "extra": {"production_variant": ROUTING, "create_model": HOST},
        **SCALED,
    }
    deploy(target(**deployed), 1, half_plus_two)
    assert rows(target(**deployed)) == ()
    assert rows(target(**deployed | {"subnets": "subnet-2,subnet-1"})) == ()
    assert names(target()) == {
        "autoscaling.invocations_per_instance",
        "autoscaling.max",
        "autoscaling.min",
        "environment variable LEVEL",
        "extra.create_model",
        "extra.production_variant.RoutingConfig.RoutingStrategy",
        "instance_count",
        "kms_key",
        "security_groups",
        "subnets",
        "tag team",
        "volume_size_gb",
    }


def test_tags_and_scaling_that_were_changed_by_hand_are_rows(target, client, half_plus_two):
    provider = target(tags={"team": "vision", "stage": "prod"}, **SCALED)
    one = deploy(provider, 1, half_plus_two)
    sagemaker, scaling = client("sagemaker"), client("application-autoscaling")
    endpoint = sagemaker.describe_endpoint(EndpointName="half")
    arn, config = endpoint["EndpointArn"], endpoint["EndpointConfigName"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["stage"])
    sagemaker.add_tags(
        ResourceArn=arn,
        Tags=[{"Key": "team", "Value": "speech"}, {"Key": "billed-by", "Value": "finance"}],
    )
    arn = sagemaker.describe_endpoint_config(EndpointConfigName=config)["EndpointConfigArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    resource = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/half/variant/{one.id}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**resource, MinCapacity=1, MaxCapacity=9)
    assert set(rows(provider)) == {
        Setting(f"autoscaling.max of {one.id}", "3", "9"),
        Setting("tag stage of the endpoint half", "prod", "-"),
        Setting("tag team of the endpoint half", "vision", "speech"),
        Setting(f"tag team of the endpoint configuration {config}", "vision", "-"),
    }
    scaling.deregister_scalable_target(**resource)
    assert names(provider) >= {"autoscaling.min", "autoscaling.max"}
    scaling.register_scalable_target(**resource, MinCapacity=1, MaxCapacity=4)
    for of in (provider, target(tags={"team": "vision", "stage": "prod"})):
        limits = "1 to 3" if of is provider else "-"
        row = Setting(f"autoscaling of {one.id}", limits, "1 to 4, not cloudserve's")
        assert row in rows(of)


def test_a_shadow_with_another_share_is_a_row(target, half_plus_two, half_plus_three):
    fields = {"shadow_percent": 50}
    deploy(target(**fields), 1, half_plus_two)
    two = deploy(target(**fields), 2, half_plus_three)
    assert rows(target(**fields)) == ()
    assert rows(target(shadow_percent=20)) == (
        Setting(f"shadow_percent of {two.id}", "20.0", "50.0"),
    )


def test_the_endpoint_of_many_models_is_compared(target, half_plus_two):
    fields = {"multi_model": "all", "tags": {"team": "vision"}, "kms_key": "alias/models"}
    deploy(target(**fields), 1, half_plus_two)
    assert rows(target(**fields)) == ()
    changed = target(multi_model="all", instance_count=2, env={"LEVEL": "2"})
    assert names(changed) == {
        "environment variable LEVEL",
        "instance_count",
        "kms_key",
        "tag team",
    }


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{"serverless_memory_mb": 2048}, {"update": "all-at-once"}])
def test_a_revision_on_an_endpoint_of_its_own_is_compared(
    target, half_plus_two, half_plus_three, fields
):
    deploy(target(**fields), 1, half_plus_two)
    two = deploy(target(**fields), 2, half_plus_three)
    assert rows(target(**fields)) == ()
    (row,) = [row for row in rows(target(env={"LEVEL": "2"}, **fields)) if two.id in row.what]
    assert row == Setting(f"environment variable LEVEL of {two.id}", "set", "-")
