"""What Application Auto Scaling refuses of SageMaker's variants, by its guide and its reference."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

POLICY = {
    "PolicyName": "p",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance",
            "ResourceLabel": "app/x",
        },
    },
}


@pytest.fixture(scope="module")
def scaling(aws):
    return aws.running.aws("application-autoscaling")


def instances(endpoint: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/main",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


def test_burstable_instances_are_not_scaled(aws, fresh, scaling):
    aws.add_model(fresh, "s3://models/double/")
    aws.add_config(fresh, aws.variant("main", fresh, InstanceType="ml.t2.medium"))
    aws.add_endpoint(fresh)
    with pytest.raises(ClientError, match=r"burstable instances \(ml\.t2\.medium\) of endpoint/"):
        scaling.register_scalable_target(**instances(fresh), MinCapacity=1, MaxCapacity=2)


def test_targets_policies_and_their_lists(doubling, scaling):
    where = instances(doubling)
    scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=2, Tags={"a": "b"})
    with pytest.raises(ClientError, match="tried to tag already exists"):
        scaling.register_scalable_target(**where, MaxCapacity=3, Tags={"a": "b"})
    with pytest.raises(ClientError, match="ResourceLabel is not supported"):
        scaling.put_scaling_policy(**where, **POLICY)
    listed = {name: where[name] for name in ("ServiceNamespace", "ScalableDimension")}
    with pytest.raises(ClientError, match="ResourceIds is required with ScalableDimension"):
        scaling.describe_scalable_targets(**listed)
    with pytest.raises(ClientError, match="ResourceId is required with ScalableDimension"):
        scaling.describe_scaling_policies(**listed)
    ids = [where["ResourceId"]]
    (target,) = scaling.describe_scalable_targets(**listed, ResourceIds=ids)["ScalableTargets"]
    assert target["MaxCapacity"] == 2
