"""The instances of components: managed scaling, Application Auto Scaling, packing."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.sagemaker.components.placement import instances_needed
from cloudserve.local_server.clouds.aws.sagemaker.instance_sizes import Size, size_of
from hypothesis import given
from hypothesis import strategies as st

from tests.local_server.clouds.aws.sagemaker.components.conftest import add_host

COPIES = "sagemaker:inference-component:DesiredCopyCount"
SIZES = st.builds(Size, st.floats(0, 4), st.integers(128, 9000), st.integers(0, 2).map(float))


def test_instances_come_and_go_with_the_copies(aws, fresh):
    scaling = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 2}
    host = add_host(aws, fresh, ManagedInstanceScaling=scaling)
    aws.add_model(f"{fresh}-2", "s3://models/double/")
    host.add(fresh, f"{fresh}-2", NumberOfCpuCoresRequired=2)
    assert host.instances() == 1
    wanted = {"InferenceComponentName": fresh, "DesiredRuntimeConfig": {"CopyCount": 2}}
    host.sm.update_inference_component_runtime_config(**wanted)
    assert host.settled(fresh)["InferenceComponentStatus"] == "InService"
    assert host.instances() == 2
    wanted["DesiredRuntimeConfig"] = {"CopyCount": 3}
    host.sm.update_inference_component_runtime_config(**wanted)
    assert host.settled(fresh)["InferenceComponentStatus"] == "Failed"
    assert host.instances() == 2
    host.remove(fresh)
    assert host.instances() == 1
    with pytest.raises(ClientError, match="ManagedInstanceScaling, is not available offline"):
        aws.sm.update_endpoint_weights_and_capacities(
            EndpointName=fresh,
            DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 2}],
        )


def test_copies_are_a_scalable_dimension(host, fresh):
    host.add(fresh, f"{fresh}-2")
    scaling = host.aws.running.aws("application-autoscaling")
    where = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"inference-component/{fresh}",
        "ScalableDimension": COPIES,
    }
    scaling.register_scalable_target(**where, MinCapacity=0, MaxCapacity=4)
    (target,) = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ScalableDimension=COPIES, ResourceIds=[where["ResourceId"]]
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["ScalableDimension"]) == (0, COPIES)
    metric = {"PredefinedMetricType": "SageMakerInferenceComponentInvocationsPerCopy"}
    policy = where | {"PolicyName": "p", "PolicyType": "TargetTrackingScaling"}
    config = {"TargetValue": 4.0, "PredefinedMetricSpecification": metric}
    scaling.put_scaling_policy(**policy, TargetTrackingScalingPolicyConfiguration=config)
    config["PredefinedMetricSpecification"] = {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
    }
    with pytest.raises(ClientError, match=f"is not a metric of {COPIES}"):
        scaling.put_scaling_policy(**policy, TargetTrackingScalingPolicyConfiguration=config)
    other = where | {"ResourceId": "inference-component/nobody"}
    with pytest.raises(ClientError, match="inference component does not exist"):
        scaling.register_scalable_target(**other, MinCapacity=0, MaxCapacity=4)
    mixed = where | {"ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    with pytest.raises(ClientError, match="is not a resource id of the dimension"):
        scaling.register_scalable_target(**mixed, MinCapacity=1, MaxCapacity=4)


@given(st.lists(SIZES, max_size=12))
def test_an_instance_for_each_copy_is_always_enough(demands):
    size = Size(4, 8192, 1.0)
    needed = instances_needed(demands, size)
    if all(size.holds(each) for each in demands):
        assert needed is not None
        assert needed <= len(demands)
        assert needed * size.memory >= sum(each.memory for each in demands)
        assert needed * size.cores >= sum(each.cores for each in demands) - 1e-6
    else:
        assert needed is None


@pytest.mark.parametrize(
    ("kind", "cores", "gibibytes", "accelerators"),
    [
        ("ml.m5.large", 2, 8, 0),
        ("ml.c5.9xlarge", 36, 72, 0),
        ("ml.r8g.medium", 1, 8, 0),
        ("ml.c4.8xlarge", 36, 60, 0),
        ("ml.g5.12xlarge", 48, 192, 4),
        ("ml.inf2.24xlarge", 96, 384, 6),
    ],
)
def test_sizes(kind, cores, gibibytes, accelerators):
    size = size_of(kind)
    assert size is not None
    assert (size.cores, size.accelerators) == (cores, accelerators)
    assert gibibytes * 900 < size.memory < gibibytes * 1024


@pytest.mark.parametrize("kind", ["ml.g4dn.24xlarge", "ml.g7.2xlarge", "ml.trn2.48xlarge"])
def test_sizes_that_are_not_known(kind):
    assert size_of(kind) is None
