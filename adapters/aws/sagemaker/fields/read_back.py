"""The fields of a target as SageMaker describes them, for `status`.

Each value has the form that the project file gives it, so that both can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..records import Endpoint, Spec, revision_id_of
from .endpoint_config import ISOLATION, VPC
from .tags import own_tags

if TYPE_CHECKING:
    from ..api.scaling import Scaled

VARIANT_FIELDS = {
    "InstanceType": "instance_type",
    "InitialInstanceCount": "instance_count",
    "ModelDataDownloadTimeoutInSeconds": "download_seconds",
    "ContainerStartupHealthCheckTimeoutInSeconds": "startup_seconds",
    "VolumeSizeInGB": "volume_size_gb",
}
SERVERLESS_FIELDS = {
    "MemorySizeInMB": "serverless_memory_mb",
    "MaxConcurrency": "serverless_concurrency",
    "ProvisionedConcurrency": "serverless_provisioned",
}


def fields_of_model(record: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that a SageMaker Model has."""
    container, vpc = record.get("PrimaryContainer", {}), record.get(VPC) or {}
    return _given(
        {
            "role_arn": record.get("ExecutionRoleArn"),
            "image": container.get("Image"),
            "env": dict(container.get("Environment", {})),
            "subnets": ",".join(vpc.get("Subnets", ())),
            "security_groups": ",".join(vpc.get("SecurityGroupIds", ())),
            "network_isolation": bool(record.get(ISOLATION)),
            "tags": own_tags(tags),
        }
    )


def fields_of_endpoint(
    endpoint: Endpoint, scaled: Mapping[str, Scaled], revision_id: str, base: str
) -> dict[str, Any]:
    """Return the fields of a revision's variant and of the endpoint's configuration."""
    variants = (*endpoint.variants, *endpoint.shadows)
    own = (v for v in variants if revision_id_of(str(v.get("ModelName", "")), base) == revision_id)
    spec = next(own, None)
    if spec is None:
        return {}
    fields = {**fields_of_variant(spec), **fields_of_config(endpoint.settings)}
    target = scaled.get(str(spec["VariantName"]))
    if target is None:
        return fields
    scaling = fields_of_scaling(target.minimum, target.maximum, target.policy or {})
    return fields | {"autoscaling": scaling}


def fields_of_scaling(minimum: int, maximum: int, policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the field `autoscaling` for a scalable target and its policy."""
    by_backlog = "CustomizedMetricSpecification" in policy
    unit = "backlog_per_instance" if by_backlog else "invocations_per_instance"
    fields = {
        "min": minimum,
        "max": maximum,
        unit: policy.get("TargetValue"),
        "scale_in_cooldown": policy.get("ScaleInCooldown"),
        "scale_out_cooldown": policy.get("ScaleOutCooldown"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def fields_of_variant(spec: Spec) -> dict[str, Any]:
    """Return the fields of a variant."""
    serverless = spec.get("ServerlessConfig", {})
    return _renamed(VARIANT_FIELDS, spec) | _renamed(SERVERLESS_FIELDS, serverless)


def fields_of_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an endpoint configuration, beside its variants."""
    capture = settings.get("DataCaptureConfig", {})
    captures = bool(capture.get("EnableCapture", capture))
    later = settings.get("AsyncInferenceConfig", {})
    output, client = later.get("OutputConfig", {}), later.get("ClientConfig", {})
    return _given(
        {
            "kms_key": settings.get("KmsKeyId"),
            "capture_percent": captures and capture.get("InitialSamplingPercentage"),
            "capture_url": captures and capture.get("DestinationS3Uri"),
            "async_output": output.get("S3OutputPath"),
            "async_failures": output.get("S3FailurePath"),
            "async_concurrency": client.get("MaxConcurrentInvocationsPerInstance"),
        }
    )


def _renamed(names: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[key] for key, name in names.items() if key in values}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
