"""What instance types of SageMaker cannot have, and images that do not run on them.

Sources: API reference, `TransformResources.VolumeKmsKeyId` and `ProductionVariant.AcceleratorType`;
`volume_size_supported` of sagemaker-python-sdk for the families without an EBS volume
(sagemaker-python-sdk#3870, #4828); autogluon-cloud#50 for the service's error;
sagemaker-python-sdk#3679 (an image for x86 on Graviton). The families of `g7`, `p6` and `dl1` are
taken to be like their predecessors; the settings of serverless variants, which no description
excludes one by one, are refused because they are of instances.

A multi-model container: developer guide, "Supported algorithms, frameworks, and instances for
multi-model endpoints" (GPUs only with Triton, and of these types); the text is sagemaker-python-
sdk#1323's.

CreateEndpointConfig takes a KmsKeyId for local storage, too. Its older description said that the
call fails; that of botocore 1.44 says that the key "does not encrypt instance local storage".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..protocol.errors import AwsError, invalid
from .images import check_device, parse

_LOCAL_STORAGE = re.compile(
    r"ml\.(?:[cmr]\d+[a-z]*d|g4dn|g[567]e?|p3dn|p4de?|p5(?:en?)?|p6e?-\w+|trn\dn?|dl1)\."
)
_ARM = re.compile(r"ml\.(?:[cmrt]\d+g[dn]*|p6e-gb\w*)\.")
_ACCELERATED = re.compile(r"ml\.(?:p\d|g\d|inf\d|trn\d|dl\d)")
_OF_MULTI_MODEL = re.compile(
    r"ml\.(?:p2\.xlarge|p3\.2xlarge|g5\.(?:x|2x|4x|8x|16x)large|g4dn\.(?:x|2x|4x|8x|16x)large)"
)
_MOST_INSTANCES = 100
"""Of a transform job. Source: API reference, `TransformResources.InstanceCount`."""
_OF_INSTANCES = (
    "InitialInstanceCount",
    "VolumeSizeInGB",
    "ManagedInstanceScaling",
    "RoutingConfig",
    "InferenceAmiVersion",
    "CapacityReservationConfig",
)


def check_variant_instance(variant: Mapping[str, Any]) -> None:
    """Raise AwsError for settings that a variant's instances do not support."""
    if "AcceleratorType" in variant:
        raise invalid("AcceleratorType is no longer supported: Elastic Inference has ended.")
    if "InstanceType" not in variant:
        _check_no_instance(variant)
        return
    kind = variant["InstanceType"]
    if _LOCAL_STORAGE.match(kind) and "VolumeSizeInGB" in variant:
        raise invalid(f"VolumeSize parameter is not allowed for the selected Instance type {kind}.")
    scaling = variant.get("ManagedInstanceScaling", {})
    if scaling.get("MinInstanceCount", 0) > scaling.get("MaxInstanceCount", float("inf")):
        raise invalid("MinInstanceCount must be less than or equal to MaxInstanceCount.")
    _check_routing(variant.get("RoutingConfig", {}))


def _check_routing(config: Mapping[str, Any]) -> None:
    """Raise AwsError for settings that do not belong to a routing strategy.

    Source: API reference, `ProductionVariantRoutingConfig` and `PrefixAwareRoutingConfig`. KV_AWARE
    "works only with supported containers", none of which runs offline.
    """
    strategy = config.get("RoutingStrategy")
    if strategy == "KV_AWARE":
        raise invalid("RoutingStrategy KV_AWARE is not available offline.")
    prefix = config.get("PrefixAwareRoutingConfig")
    if prefix is not None and strategy != "PREFIX_AWARE":
        raise invalid("PrefixAwareRoutingConfig needs the RoutingStrategy PREFIX_AWARE.")
    for field in ("PrefixLength", "ConcurrencyThreshold"):
        if strategy == "PREFIX_AWARE" and field not in (prefix or {}):
            raise invalid(f"{field} is required for the RoutingStrategy PREFIX_AWARE.")


def check_multi_model(container: Mapping[str, Any], instance_type: str) -> None:
    """Raise AwsError for a multi-model container on accelerators that it cannot use."""
    if container.get("Mode") != "MultiModel" or not _ACCELERATED.match(instance_type):
        return
    parsed = parse(container["Image"])
    is_tensorflow = parsed is not None and parsed.is_tensorflow
    if is_tensorflow or not _OF_MULTI_MODEL.fullmatch(instance_type):
        raise invalid(f"MultiModel mode is not supported for instance type {instance_type}.")


def _check_no_instance(variant: Mapping[str, Any]) -> None:
    for field in _OF_INSTANCES:
        if field in variant:
            raise invalid(
                f"{field} is not supported for serverless production variant"
                f" {variant['VariantName']}."
            )


def check_job_instances(resources: Mapping[str, Any]) -> None:
    """Raise AwsError for settings that a transform job's instances do not support."""
    kind, count = resources["InstanceType"], resources["InstanceCount"]
    if count > _MOST_INSTANCES:
        raise invalid(f"InstanceCount is {count}; the maximum is {_MOST_INSTANCES}.")
    if resources.get("VolumeKmsKeyId") and _LOCAL_STORAGE.match(kind):
        raise invalid(
            f"VolumeKmsKeyId cannot be specified for {kind}: its local storage is encrypted by the"
            " instance."
        )


def check_machine(image: str, instance_type: str | None) -> None:
    """Raise AwsError for one of AWS's images on an instance that cannot run it.

    `instance_type` is None for a serverless variant. Nothing is known of a user's own image.
    """
    check_device(image, instance_type)
    parsed = parse(image)
    if parsed is not None and parsed.is_tensorflow and _ARM.match(instance_type or ""):
        raise AwsError(
            "ModelError",
            f"exec format error: the image {image} is for x86-64, and {instance_type} has Arm"
            " processors.",
        )
