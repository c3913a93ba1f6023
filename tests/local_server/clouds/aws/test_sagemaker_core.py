"""sagemaker-core's resource classes against the offline SageMaker.

Not in the `test` extra: it pins protobuf below what grpcio's health service asks for. Where it is
installed (`pip install --no-deps sagemaker-core` and what it imports), these run.
"""

from __future__ import annotations

import json
import warnings

import pytest

with warnings.catch_warnings():
    # Its own deprecations, on import.
    warnings.simplefilter("ignore")
    resources = pytest.importorskip(
        "sagemaker.core.resources", reason="sagemaker-core is not installed"
    )
    from sagemaker.core import shapes

ROLE = "arn:aws:iam::000000000000:role/serving"


@pytest.fixture(scope="module", autouse=True)
def offline(clouds):
    """Point the SDK at the emulator, as its environment does, and make its clients anew."""
    from sagemaker.core.utils.utils import SingletonMeta

    with pytest.MonkeyPatch.context() as patch:
        for name, value in clouds.environment.items():
            patch.setenv(name, value)
        SingletonMeta._instances.clear()
        yield
    SingletonMeta._instances.clear()


@pytest.fixture
def endpoint(fresh):
    for name, folder in (("2", "double"), ("3", "triple")):
        source = shapes.S3ModelDataSource(
            s3_uri=f"s3://models/{folder}/", s3_data_type="S3Prefix", compression_type="None"
        )
        container = shapes.ContainerDefinition(
            image="tensorflow-inference:2.20-cpu-py312",
            model_data_source=shapes.ModelDataSource(s3_data_source=source),
        )
        resources.Model.create(
            model_name=f"{fresh}-{name}", primary_container=container, execution_role_arn=ROLE
        )
        variant = shapes.ProductionVariant(
            variant_name="main",
            model_name=f"{fresh}-{name}",
            initial_instance_count=1,
            instance_type="ml.m5.large",
            initial_variant_weight=1.0,
        )
        resources.EndpointConfig.create(
            endpoint_config_name=f"{fresh}-{name}", production_variants=[variant]
        )
    created = resources.Endpoint.create(endpoint_name=fresh, endpoint_config_name=f"{fresh}-2")
    created.wait_for_status("InService", poll=1, timeout=60)
    return created


def predicted(endpoint) -> object:
    answer = endpoint.invoke(body=b'{"instances": [1]}', content_type="application/json")
    return json.loads(answer.body.read())


def test_an_endpoint_is_created_invoked_updated_and_deleted(endpoint, fresh):
    assert predicted(endpoint) == {"predictions": [2.0]}
    size = shapes.CapacitySize(type="CAPACITY_PERCENT", value=50)
    routing = shapes.TrafficRoutingConfig(
        type="CANARY", wait_interval_in_seconds=1, canary_size=size
    )
    policy = shapes.BlueGreenUpdatePolicy(traffic_routing_configuration=routing)
    endpoint.endpoint_config_name = f"{fresh}-3"
    endpoint.update(deployment_config=shapes.DeploymentConfig(blue_green_update_policy=policy))
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    assert predicted(endpoint) == {"predictions": [3.0]}
    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=60)


def test_resources_are_found_and_listed(endpoint, fresh):
    assert resources.Endpoint.get(fresh).endpoint_status == "InService"
    names = {model.model_name for model in resources.Model.get_all(name_contains=fresh)}
    assert names == {f"{fresh}-2", f"{fresh}-3"}


def test_the_registry(aws, fresh):
    group = resources.ModelPackageGroup.create(model_package_group_name=fresh)
    assert group.model_package_group_status == "Completed"
    # Its own `ModelPackage.create` (2.27) reads a member that CreateModelPackage never answers.
    created = aws.sm.create_model_package(ModelPackageGroupName=fresh)
    package = resources.ModelPackage.get(model_package_name=created["ModelPackageArn"])
    package.update(model_approval_status="Approved")
    package = resources.ModelPackage.get(model_package_name=created["ModelPackageArn"])
    assert package.model_approval_status == "Approved"
