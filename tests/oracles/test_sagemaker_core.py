"""sagemaker-core's resource classes and waiters against the offline SageMaker.

Not in the `test` extra: it pins protobuf below what grpcio's health service asks for.
"""

from __future__ import annotations

import io
import json
import tarfile
import warnings

import boto3
import pytest
from botocore.exceptions import ClientError

with warnings.catch_warnings():
    # Its own deprecations, on import.
    warnings.simplefilter("ignore")
    resources = pytest.importorskip(
        "sagemaker.core.resources", reason="sagemaker-core is not installed: `make oracle-aws`"
    )
    from sagemaker.core import shapes
    from sagemaker.core.utils.exceptions import FailedStatusError

ROLE = "arn:aws:iam::000000000000:role/serving"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu-py312"


@pytest.fixture(scope="module", autouse=True)
def offline(environment, models):
    """Point the SDK at the emulator as the environment does, with models in its bucket."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="models")
        for name, folder in models.items():
            for file in folder.rglob("*"):
                if file.is_file():
                    key = f"{name}/half/{file.relative_to(folder).as_posix()}"
                    s3.upload_file(str(file), "models", key)
            s3.put_object(Bucket="models", Key=f"{name}.tar.gz", Body=packed(folder))
        s3.put_object(Bucket="models", Key="broken/1/saved_model.pb", Body=b"no model")
        yield


def packed(folder) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(folder, "half")
    return content.getvalue()


def add_model(name: str, url: str):
    source = {"model_data_url": url}
    if url.endswith("/"):
        prefix = shapes.S3ModelDataSource(
            s3_uri=url, s3_data_type="S3Prefix", compression_type="None"
        )
        source = {"model_data_source": shapes.ModelDataSource(s3_data_source=prefix)}
    container = shapes.ContainerDefinition(image=IMAGE, **source)
    return resources.Model.create(
        model_name=name, primary_container=container, execution_role_arn=ROLE
    )


def add_endpoint(name: str, *variants, **more):
    resources.EndpointConfig.create(
        endpoint_config_name=name, production_variants=list(variants), **more
    )
    return resources.Endpoint.create(endpoint_name=name, endpoint_config_name=name)


def variant(name: str, model: str, weight: float = 1.0):
    return shapes.ProductionVariant(
        variant_name=name,
        model_name=model,
        initial_instance_count=1,
        instance_type="ml.m5.large",
        initial_variant_weight=weight,
    )


@pytest.fixture
def endpoint(fresh):
    for name, folder in (("2", "two"), ("3", "three")):
        add_model(f"{fresh}-{name}", f"s3://models/{folder}/")
        resources.EndpointConfig.create(
            endpoint_config_name=f"{fresh}-{name}",
            production_variants=[variant("main", f"{fresh}-{name}")],
        )
    created = resources.Endpoint.create(endpoint_name=fresh, endpoint_config_name=f"{fresh}-2")
    created.wait_for_status("InService", poll=1, timeout=60)
    return created


def predicted(endpoint) -> object:
    answer = endpoint.invoke(body=b'{"instances": [1]}', content_type="application/json")
    return json.loads(answer.body.read())


def test_an_endpoint_is_created_invoked_updated_and_deleted(endpoint, fresh):
    assert predicted(endpoint) == {"predictions": [2.5]}
    size = shapes.CapacitySize(type="CAPACITY_PERCENT", value=50)
    routing = shapes.TrafficRoutingConfig(
        type="CANARY", wait_interval_in_seconds=1, canary_size=size
    )
    policy = shapes.BlueGreenUpdatePolicy(traffic_routing_configuration=routing)
    endpoint.endpoint_config_name = f"{fresh}-3"
    endpoint.update(deployment_config=shapes.DeploymentConfig(blue_green_update_policy=policy))
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    assert predicted(endpoint) == {"predictions": [3.5]}
    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=60)


def test_resources_are_found_and_listed(endpoint, fresh):
    assert resources.Endpoint.get(fresh).endpoint_status == "InService"
    names = {model.model_name for model in resources.Model.get_all(name_contains=fresh)}
    assert names == {f"{fresh}-2", f"{fresh}-3"}


def test_the_registry(fresh):
    group = resources.ModelPackageGroup.create(model_package_group_name=fresh)
    assert group.model_package_group_status == "Completed"
    # Its own `ModelPackage.create` (2.27) reads a member that CreateModelPackage never answers.
    created = boto3.client("sagemaker").create_model_package(ModelPackageGroupName=fresh)
    package = resources.ModelPackage.get(model_package_name=created["ModelPackageArn"])
    package.update(model_approval_status="Approved")
    package = resources.ModelPackage.get(model_package_name=created["ModelPackageArn"])
    assert package.model_approval_status == "Approved"


def test_an_endpoint_that_fails_is_raised_with_its_reason(fresh):
    add_model(fresh, "s3://models/broken/")
    endpoint = add_endpoint(fresh, variant("main", fresh))
    with pytest.raises(FailedStatusError, match="did not pass the ping health check"):
        endpoint.wait_for_status("InService", poll=1, timeout=60)
    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=60)


def test_weights_are_moved_and_a_variant_is_asked_by_name(fresh):
    models = {
        name: add_model(f"{fresh}-{name}", f"s3://models/{name}/") for name in ("two", "three")
    }
    endpoint = add_endpoint(
        fresh, *(variant(name, model.model_name) for name, model in models.items())
    )
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    # Its shapes drop a weight of 0: the service keeps the existing one.
    endpoint.update_weights_and_capacities(
        desired_weights_and_capacities=[
            shapes.DesiredWeightAndCapacity(variant_name="two", desired_weight=3.0)
        ]
    )
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    endpoint.refresh()
    weights = {v.variant_name: v.current_weight for v in endpoint.production_variants}
    assert weights == {"two": 3.0, "three": 1.0}
    answer = endpoint.invoke(
        body=b"1.0", content_type="text/csv", accept="application/json", target_variant="three"
    )
    assert answer.invoked_production_variant == "three"
    assert json.loads(answer.body.read()) == {"predictions": [3.5]}


def test_a_serverless_endpoint_of_an_archive(fresh):
    add_model(fresh, "s3://models/two.tar.gz")
    # Its own shape (2.27) writes MemorySizeInMb, which botocore refuses.
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    only = {"VariantName": "main", "ModelName": fresh, "ServerlessConfig": serverless}
    boto3.client("sagemaker").create_endpoint_config(
        EndpointConfigName=fresh, ProductionVariants=[only]
    )
    endpoint = resources.Endpoint.create(endpoint_name=fresh, endpoint_config_name=fresh)
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    assert predicted(endpoint) == {"predictions": [2.5]}


def test_an_answer_comes_as_a_stream_and_by_way_of_the_bucket(fresh):
    add_model(fresh, "s3://models/two/")
    output = shapes.AsyncInferenceOutputConfig(s3_output_path=f"s3://models/{fresh}")
    endpoint = add_endpoint(
        fresh,
        variant("main", fresh),
        async_inference_config=shapes.AsyncInferenceConfig(output_config=output),
    )
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    s3 = boto3.client("s3")
    s3.put_object(Bucket="models", Key=f"{fresh}.json", Body=b'{"instances": [1.0]}')
    answer = endpoint.invoke_async(
        input_location=f"s3://models/{fresh}.json", content_type="application/json"
    )
    key = answer.output_location.removeprefix("s3://models/")
    s3.get_waiter("object_exists").wait(Bucket="models", Key=key, WaiterConfig={"Delay": 1})
    assert json.load(s3.get_object(Bucket="models", Key=key)["Body"]) == {"predictions": [2.5]}


def test_a_transform_job_is_waited_for(fresh):
    add_model(fresh, "s3://models/two.tar.gz")
    s3 = boto3.client("s3")
    s3.put_object(Bucket="models", Key=f"{fresh}/in/a.csv", Body=b"1.0\n2.0\n")
    source = shapes.TransformS3DataSource(
        s3_data_type="S3Prefix", s3_uri=f"s3://models/{fresh}/in/"
    )
    job = resources.TransformJob.create(
        transform_job_name=fresh,
        model_name=fresh,
        transform_input=shapes.TransformInput(
            data_source=shapes.TransformDataSource(s3_data_source=source),
            content_type="text/csv",
            split_type="Line",
        ),
        transform_output=shapes.TransformOutput(s3_output_path=f"s3://models/{fresh}/out"),
        transform_resources=shapes.TransformResources(
            instance_type="ml.m5.large", instance_count=1
        ),
    )
    job.wait(poll=1, timeout=60)
    job.refresh()
    assert job.transform_job_status == "Completed"
    answer = s3.get_object(Bucket="models", Key=f"{fresh}/out/a.csv.out")["Body"]
    assert json.load(answer) == {"predictions": [2.5, 3.0]}


def test_a_missing_resource_is_the_services_error(fresh):
    with pytest.raises(ClientError, match=f'Could not find endpoint "arn:.*:endpoint/{fresh}"'):
        resources.Endpoint.get(fresh)
    with pytest.raises(ClientError, match="Could not find model data at s3://models/nobody/"):
        add_model(fresh, "s3://models/nobody/")


def test_lists_go_over_their_pages(fresh):
    names = {f"{fresh}-{number}" for number in range(12)}
    for name in names:
        add_model(name, "s3://models/two/")
    assert {model.model_name for model in resources.Model.get_all(name_contains=fresh)} == names
