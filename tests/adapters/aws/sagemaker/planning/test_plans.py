"""Plans beside existing resources, and their owners, over a real socket and boto3."""

from __future__ import annotations

import pytest
from cloudserve.adapters.aws.sagemaker.records import canonical, config_name, weighted

from cloudserve.errors import ConflictError
from cloudserve.storage.events import Reporter
from tests.adapters.aws.scripted import (
    ARN,
    LOCATION,
    NOT_FOUND,
    ONE,
    ROLE,
    THREE,
    TWO,
    action,
    bodies,
    config_of,
    described,
    ok,
    refused,
    tagged,
    variants,
)

SUMMARY = ("ModelName", "ModelArn", "CreationTime")
"""The fields of a SageMaker Model that ListModels returns."""


def test_an_endpoint_that_is_not_ours_is_a_conflict(sagemaker):
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described(a=1.0),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
            "ListTags": ok({"Tags": [{"Key": "team", "Value": "x"}]}),
        }
    )
    with pytest.raises(
        ConflictError, match="the endpoint half exists, and nothing says that it is"
    ):
        provider.read("half")


def test_a_failed_endpoint_is_deleted_and_recreated(sagemaker):
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described("Failed", reason="no ping", a=1.0),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    actions = provider.plan_deploy(provider.read("half"), TWO, LOCATION)
    assert [a.kind for a in actions] == [
        "delete-endpoint",
        "create-model",
        "create-endpoint-config",
        "create-endpoint",
    ]
    assert "which failed (no ping) and takes no update" in actions[0].sentence


def test_an_idle_variant_is_taken_off_and_the_plan_says_so(sagemaker):
    specs = variants(a=0.0, b=1.0)
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described(a=0.0, b=2.0),
            "DescribeEndpointConfig": config_of(specs),
        }
    )
    *_, config, update = provider.plan_deploy(provider.read("half"), THREE, LOCATION)
    kept = config.args["variants"]
    assert {v["VariantName"]: v["InitialVariantWeight"] for v in kept} == {
        TWO.id: 1.0,
        THREE.id: 0.0,
    }
    assert f"takes the idle {ONE.id} off it" in update.sentence


def test_a_strangers_variant_keeps_its_place_and_its_settings(sagemaker):
    stranger = {
        "VariantName": "shadow",
        "ModelName": "x",
        "ServerlessConfig": {"MaxConcurrency": 2},
    }
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described(a=1.0),
            "DescribeEndpointConfig": config_of([*variants(a=1.0), stranger]),
        }
    )
    *_, config, _ = provider.plan_deploy(provider.read("half"), TWO, LOCATION)
    kept = {v["VariantName"]: v for v in config.args["variants"]}
    assert kept["shadow"] == stranger | {"InitialVariantWeight": 0.0}


def test_a_sagemaker_model_with_another_image_is_replaced(sagemaker):
    source = {"S3Uri": LOCATION.root_url, "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": "image:0", "ModelDataSource": {"S3DataSource": source}}
    model = {
        "ModelName": f"half-{TWO.id}",
        "ModelArn": "arn:aws:sagemaker:eu-west-1:0:model/m",
        "ExecutionRoleArn": ROLE,
        "CreationTime": 1.0,
        "PrimaryContainer": container,
    }
    answers = {
        "DescribeEndpoint": refused("ValidationException", NOT_FOUND),
        "DescribeModel": ok(model),
        "ListModels": ok({"Models": [{key: model[key] for key in SUMMARY}]}),
        "ListTags": tagged(number=2, digest=TWO.digest),
    }
    provider, _ = sagemaker(answers)
    kinds = [a.kind for a in provider.plan_deploy(provider.read("half"), TWO, LOCATION)]
    assert kinds[:2] == ["delete-model", "create-model"]

    answers["DescribeModel"] = ok(model | {"PrimaryContainer": container | {"Image": "image:1"}})
    kinds = [a.kind for a in provider.plan_deploy(provider.read("half"), TWO, LOCATION)]
    assert kinds == ["create-endpoint-config", "create-endpoint"]


def test_another_change_under_way_is_a_conflict(sagemaker):
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described("Updating", a=1.0),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    with pytest.raises(ConflictError, match="is Updating: another change is under way"):
        provider.plan_deploy(provider.read("half"), TWO, LOCATION)


def test_our_own_change_under_way_is_waited_for(sagemaker, lines):
    updating = described("Updating", a=1.0)
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": [updating, updating, described(a=1.0)],
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    (wait,) = provider.plan_deploy(provider.read("half"), ONE, LOCATION)
    provider.perform(wait, Reporter(lines.append))
    assert lines == ["endpoint half: Updating", "endpoint half: InService"]


def move_to_two():
    return action("set-weights", endpoint="half", revision=TWO.id, weights={TWO.id: 100})


def test_weights_of_zero_reach_the_wire(sagemaker, lines):
    provider, server = sagemaker(
        {
            "UpdateEndpointWeightsAndCapacities": ok({"EndpointArn": ARN}),
            "DescribeEndpoint": [described(a=1.0, b=0.0), described(a=0.0, b=1.0)],
            "DescribeEndpointConfig": config_of(variants(a=1.0, b=0.0)),
        }
    )
    provider.perform(move_to_two(), Reporter(lines.append))
    assert bodies(server, "UpdateEndpointWeightsAndCapacities")[0][
        "DesiredWeightsAndCapacities"
    ] == [
        {"VariantName": ONE.id, "DesiredWeight": 0.0},
        {"VariantName": TWO.id, "DesiredWeight": 1.0},
    ]


def test_traffic_for_a_revision_that_left_the_endpoint_is_a_conflict(sagemaker, lines):
    provider, _ = sagemaker(
        {
            "DescribeEndpoint": described(a=1.0),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    with pytest.raises(ConflictError, match="is not on the endpoint half any more"):
        provider.perform(move_to_two(), Reporter(lines.append))


def test_traffic_without_an_endpoint_says_to_deploy(sagemaker):
    provider, _ = sagemaker({"DescribeEndpoint": refused("ValidationException", NOT_FOUND)})
    with pytest.raises(ConflictError) as error:
        provider.plan_traffic(provider.read("half"), ONE.id)
    assert error.value.hint == "cloudserve deploy half --target aws"


def test_a_working_endpoint_is_never_deleted(sagemaker, lines):
    provider, server = sagemaker(
        {"DescribeEndpoint": described(), "DescribeEndpointConfig": config_of(variants(a=1.0))}
    )
    with pytest.raises(ConflictError, match="no longer Failed"):
        provider.perform(action("delete-endpoint", endpoint="half"), Reporter(lines.append))
    assert bodies(server, "DeleteEndpoint") == []


def taken(noun):
    return refused("ValidationException", f'Cannot create already existing {noun} "arn:x".')


def test_a_model_of_our_name_with_another_digest_is_a_conflict(sagemaker, lines):
    source = {"S3Uri": "s3://b/x/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    result = {
        "ModelName": "m",
        "ModelArn": "arn:aws:sagemaker:eu-west-1:0:model/m",
        "ExecutionRoleArn": ROLE,
        "CreationTime": 1.0,
        "PrimaryContainer": {"Image": "i", "ModelDataSource": {"S3DataSource": source}},
    }
    args = {
        "model": "half", "name": "m", "number": 1, "digest": ONE.digest,
        "image": "i", "source": "s3://b/x/", "role_arn": ROLE,
    }  # fmt: skip
    answers = {
        "CreateModel": taken("model"),
        "DescribeModel": ok(result),
        "ListTags": tagged(digest=TWO.digest),
    }
    provider, _ = sagemaker(answers)
    with pytest.raises(ConflictError, match="model m exists and is not this release's"):
        provider.perform(action("create-model", **args), Reporter(lines.append))
    with pytest.raises(ConflictError):
        provider.perform(action("delete-model", **args), Reporter(lines.append))

    answers["ListTags"] = tagged(digest=ONE.digest)
    provider.perform(action("create-model", **args), Reporter(lines.append))
    assert lines == ["model m already exists"]


def test_a_configuration_of_our_name_with_other_variants_is_a_conflict(sagemaker, lines):
    specs = [dict(spec) for spec in weighted(variants(a=1.0), {ONE.id: 1.0})]
    name = config_name("half", canonical(specs))
    answers = {
        "CreateEndpointConfig": taken("endpoint configuration"),
        "DescribeEndpointConfig": config_of(variants(a=0.5), name),
    }
    provider, _ = sagemaker(answers)
    make = action("create-endpoint-config", model="half", config=name, variants=specs)
    with pytest.raises(ConflictError, match="exists and is not this release's"):
        provider.perform(make, Reporter(lines.append))
    added = [{**spec, "VolumeSizeInGB": 30} for spec in variants(a=1.0)]
    answers["DescribeEndpointConfig"] = config_of(added, name)
    provider.perform(make, Reporter(lines.append))
    assert lines == [f"endpoint configuration {name} already exists"]


def test_an_endpoint_of_our_name_with_another_configuration_is_a_conflict(sagemaker, lines):
    provider, _ = sagemaker(
        {
            "CreateEndpoint": taken("endpoint"),
            "DescribeEndpoint": described(config="other"),
            "DescribeEndpointConfig": config_of(variants(a=1.0)),
        }
    )
    create_it = action("create-endpoint", endpoint="half", config="ours", model="half")
    with pytest.raises(ConflictError, match="endpoint half exists"):
        provider.perform(create_it, Reporter(lines.append))
