"""What the service refuses of inference components, and what is not available offline."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local_server.clouds.aws.conftest import ROLE
from tests.local_server.clouds.aws.sagemaker.components.conftest import Host, add_host

OWN = {"VariantName": "main", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
NEEDS = {"MinMemoryRequiredInMb": 1024}
CAPTURE = {
    "InitialSamplingPercentage": 1,
    "DestinationS3Uri": "s3://a/b",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"EndpointName": "nobody"}, 'Could not find endpoint "arn'),
        ({"VariantName": "other"}, 'Could not find production variant "other"'),
        ({"VariantName": None}, "VariantName is required"),
        ({"RuntimeConfig": None}, "RuntimeConfig is required"),
        ({"RuntimeConfig": {"CopyCount": 0}}, "copy count an integer larger than 0"),
        ({"Specification": None}, "Specification is required"),
        ({"Specifications": [{}]}, "Only one of Specification and Specifications"),
        ({"Specification": None, "Specifications": [{}]}, "Specifications is not available"),
    ],
)
def test_requests_that_are_incomplete(host, fresh, changes, text):
    request = host.request(fresh, f"{fresh}-2") | changes
    given = {key: value for key, value in request.items() if value is not None}
    with pytest.raises(ClientError, match=text):
        host.sm.create_inference_component(**given)
    assert host.sm.list_inference_components(NameContains=fresh)["InferenceComponents"] == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"BaseInferenceComponentName": "base"}, "adapters need a container that loads"),
        ({"InstanceType": "ml.m5.large"}, "InstanceType of a Specification is not available"),
        ({"ModelName": "nobody"}, 'Could not find model "arn'),
        ({"Container": {"Image": "x"}}, "exactly one of ModelName and Container"),
        ({"ComputeResourceRequirements": None}, "ComputeResourceRequirements is required"),
        (
            {"ComputeResourceRequirements": NEEDS | {"MaxMemoryRequiredInMb": 512}},
            "MaxMemoryRequiredInMb must be greater",
        ),
        (
            {"ComputeResourceRequirements": NEEDS | {"NumberOfAcceleratorDevicesRequired": 1.5}},
            "must be a whole number",
        ),
        (
            {"ComputeResourceRequirements": NEEDS | {"AcceleratorPartitionType": "mig-3g.40gb"}},
            "AcceleratorPartitionType is not available",
        ),
        ({"ModelName": None, "Container": {"ArtifactUrl": "s3://a/b"}}, "Image is required"),
        ({"ModelName": None, "Container": {"Image": "x"}}, "ArtifactUrl is required"),
        (
            {"ModelName": None, "Container": {"Image": "x", "ArtifactUrl": "s3://a/b.tar.gz"}},
            'Using non-ECR image "x"',
        ),
    ],
)
def test_specifications(host, fresh, changes, text):
    request = host.request(fresh, f"{fresh}-2")
    specification = request["Specification"] | changes
    request["Specification"] = {k: v for k, v in specification.items() if v is not None}
    with pytest.raises(ClientError, match=text):
        host.sm.create_inference_component(**request)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ExecutionRoleArn": None}, "ExecutionRoleArn is required"),
        ({"ProductionVariants": [OWN, OWN | {"VariantName": "b"}]}, "Several production variants"),
        ({"ProductionVariants": [OWN | {"InstanceType": None}]}, "Exactly one of InstanceType"),
        (
            {"DataCaptureConfig": CAPTURE},
            "DataCaptureConfig with a production variant without ModelName",
        ),
        (
            {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://a/b"}}},
            "AsyncInferenceConfig with a production variant without ModelName",
        ),
        (
            {"ProductionVariants": [OWN | {"ManagedInstanceScaling": {"MinInstanceCount": 2}}]},
            "must be between MinInstanceCount and MaxInstanceCount",
        ),
        (
            {"ProductionVariants": [OWN | {"InstancePools": []}]},
            "InstancePools of production variant main is not available",
        ),
    ],
)
def test_configurations_without_models(aws, fresh, changes, text):
    request = {"ProductionVariants": [OWN], "ExecutionRoleArn": ROLE} | changes
    variants = [{k: v for k, v in each.items() if v} for each in request["ProductionVariants"]]
    if "InstancePools" in request["ProductionVariants"][0]:
        pool = {"InstanceType": "ml.m5.large", "Priority": 1}
        variants[0] |= {"InstancePools": [pool]}
    request |= {"ProductionVariants": variants}
    given = {key: value for key, value in request.items() if value is not None}
    with pytest.raises(ClientError, match=text):
        aws.sm.create_endpoint_config(EndpointConfigName=fresh, **given)


def test_models_and_components_do_not_mix(aws, fresh):
    aws.add_model(fresh, "s3://models/double/")
    with pytest.raises(ClientError, match="with and without ModelName cannot be mixed"):
        aws.add_config(fresh, aws.variant("a", fresh), OWN, ExecutionRoleArn=ROLE)
    scaling = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 2}
    with pytest.raises(ClientError, match="only supported for inference component endpoints"):
        aws.add_config(fresh, aws.variant("a", fresh, ManagedInstanceScaling=scaling))


def test_an_endpoint_of_models_hosts_no_component(aws, doubling):
    request = Host(aws, doubling).request("c", doubling)
    with pytest.raises(ClientError, match="Inference Components are not supported in this Endp"):
        aws.sm.create_inference_component(**request)


def test_the_capacity_of_an_instance_must_be_known(aws, fresh):
    aws.add_model(f"{fresh}-2", "s3://models/double/")
    host = add_host(aws, fresh, InstanceType="ml.p6-b200.48xlarge")
    with pytest.raises(ClientError, match=r"capacity of ml.p6-b200.48xlarge is not known offline"):
        host.sm.create_inference_component(**host.request(fresh, f"{fresh}-2"))


def test_changes_wait_for_each_other(host, fresh):
    host.add(fresh, f"{fresh}-2")
    wanted = {"InferenceComponentName": fresh, "DesiredRuntimeConfig": {"CopyCount": 2}}
    host.sm.update_inference_component_runtime_config(**wanted)
    with pytest.raises(ClientError, match="while it is in state UPDATE_RC_IN_PROGRESS"):
        host.sm.delete_inference_component(InferenceComponentName=fresh)
    host.settled(fresh)
    missing = {"InferenceComponentName": "nobody"}
    with pytest.raises(ClientError, match='Could not find inference component "arn'):
        host.sm.delete_inference_component(**missing)
    with pytest.raises(ClientError, match="Specification or RuntimeConfig is required"):
        host.sm.update_inference_component(InferenceComponentName=fresh)
    policy = {"MaximumBatchSize": {"Type": "COPY_COUNT", "Value": 1}, "WaitIntervalInSeconds": 0}
    with pytest.raises(ClientError, match="DeploymentConfig of an inference component is not"):
        host.sm.update_inference_component(
            InferenceComponentName=fresh,
            RuntimeConfig={"CopyCount": 1},
            DeploymentConfig={"RollingUpdatePolicy": policy},
        )


def test_an_endpoint_is_updated_around_its_components(host, fresh, aws):
    host.add(fresh, f"{fresh}-2", copies=2, NumberOfCpuCoresRequired=1)
    small = {"VariantName": "main", "InstanceType": "ml.t2.medium", "InitialInstanceCount": 1}
    aws.add_config(f"{fresh}-s", small, ExecutionRoleArn=ROLE)
    aws.add_config(f"{fresh}-x", small | {"VariantName": "other"}, ExecutionRoleArn=ROLE)
    aws.add_config(f"{fresh}-m", aws.variant("main", f"{fresh}-2"))
    refusals = {"x": "cannot be removed: it hosts", "m": "between models and inference components"}
    for end, text in refusals.items():
        with pytest.raises(ClientError, match=text):
            aws.sm.update_endpoint(EndpointName=fresh, EndpointConfigName=f"{fresh}-{end}")
    aws.sm.update_endpoint(EndpointName=fresh, EndpointConfigName=f"{fresh}-s")
    assert aws.settled(fresh)["EndpointConfigName"] == f"{fresh}-s"
    assert b"2.0" in host.ask(fresh)
    with pytest.raises(ClientError, match="scale the components"):
        aws.running.aws("application-autoscaling").register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{fresh}/variant/main",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=1,
            MaxCapacity=2,
        )
