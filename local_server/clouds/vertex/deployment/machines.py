"""The machines of a deployment: Vertex AI's rules for prediction resources.

Machine types and their accelerators: Vertex AI, "Configure compute resources for inference" (read
in November 2026). The error texts are the service's (terraform-provider-google#18931,
vertex-ai-samples#3372). For families that are newer or rarer than the table's, only the form of
the name is checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ....status import Code
from ...google.common.discovery import snake
from ...google.common.errors import ApiError
from ...resources import Document
from ..records import invalid

_N1 = re.compile(r"n1-(standard|highmem|highcpu)-(2|4|8|16|32)")
_E2 = re.compile(r"e2-(standard|highmem|highcpu)-(2|4|8|16|32)")
_OTHER_FAMILIES = re.compile(
    r"(n2d?|n4a?|c2d?|c3d?|c4[ad]?|m1|z3)-[a-z]+-\d+(-[a-z]+)?|(a4|g4)-[a-z]+-\d+g?"
    r"|ct\d[a-z]+-hightpu-\d+t"
)
_N1_ACCELERATORS = {
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
}
_BUILT_IN = {
    **{f"g2-standard-{size}": ("NVIDIA_L4", 1) for size in (4, 8, 12, 16, 32)},
    **{f"g2-standard-{size}": ("NVIDIA_L4", size // 12) for size in (24, 48, 96)},
    **{f"a2-highgpu-{count}g": ("NVIDIA_TESLA_A100", count) for count in (1, 2, 4, 8)},
    "a2-megagpu-16g": ("NVIDIA_TESLA_A100", 16),
    **{f"a2-ultragpu-{count}g": ("NVIDIA_A100_80GB", count) for count in (1, 2, 4, 8)},
    **{f"a3-highgpu-{count}g": ("NVIDIA_H100_80GB", count) for count in (1, 2, 4, 8)},
    "a3-edgegpu-8g": ("NVIDIA_H100_80GB", 8),
    "a3-megagpu-8g": ("NVIDIA_H100_MEGA_80GB", 8),
    "a3-ultragpu-8g": ("NVIDIA_H200_141GB", 8),
}


def check_machine_type(machine: str) -> None:
    """Refuse an unknown machine type (ApiError)."""
    if machine in _BUILT_IN or any(
        known.fullmatch(machine) for known in (_N1, _E2, _OTHER_FAMILIES)
    ):
        return
    raise invalid(f'Machine type "{machine}" is not supported.')


def check_pair(machine: str, accelerator: str, count: int) -> None:
    """Refuse an accelerator, or a number of them, that a machine does not support (ApiError)."""
    if _OTHER_FAMILIES.fullmatch(machine) and machine.startswith(("a4", "g4")):
        return
    counts = _accelerators(machine).get(accelerator)
    if counts is None:
        raise invalid(f'Accelerator "{accelerator}" is not supported for machine type "{machine}"')
    if count not in counts:
        raise invalid(
            f'The accelerator count "{count}" is not allowed. The allowed numbers of accelerator'
            f' "{accelerator}" to use with machine type "{machine}" are: {list(counts)}.'
        )


def _accelerators(machine: str) -> Mapping[str, tuple[int, ...]]:
    if machine in _BUILT_IN:
        accelerator, count = _BUILT_IN[machine]
        return {accelerator: (count,)}
    return _N1_ACCELERATORS if _N1.fullmatch(machine) else {}


_KINDS = {
    "dedicatedResources": "dedicated_resources",
    "automaticResources": "automatic_resources",
    "sharedResources": "shared_resources",
}

_ONLINE = "aiplatform.googleapis.com/prediction/online/"
_DUTY_CYCLE = f"{_ONLINE}accelerator/duty_cycle"
_PERCENTAGES = frozenset({_DUTY_CYCLE, f"{_ONLINE}cpu/utilization"})
_METRICS = _PERCENTAGES | {
    f"{_ONLINE}request_count",
    "pubsub.googleapis.com/subscription/num_undelivered_messages",
    "prometheus.googleapis.com/vertex_dcgm_fi_dev_gpu_util",
    "prometheus.googleapis.com/vertex_vllm_gpu_cache_usage_perc",
    "prometheus.googleapis.com/vertex_vllm_num_requests_waiting",
}
_WHOLE = 100
_DEFAULT_MACHINE = "n1-standard-2"
_UNSPECIFIED = "ACCELERATOR_TYPE_UNSPECIFIED"


_NOT_OFFLINE = ("gpuPartitionSize", "reservationAffinity", "tpuTopology")
"""Fields of a MachineSpec that only the service can check: its GPUs, reservations and TPUs."""


def check_resources(deployed: Mapping[str, Any]) -> Document:
    """Return a deployment's machines with defaults, or its pool; raises ApiError."""
    kinds = [word for field, word in _KINDS.items() if deployed.get(field)]
    if len(kinds) > 1:
        raise invalid(f"Only one of {' and '.join(f'`{word}`' for word in kinds)} may be set.")
    if kinds == ["shared_resources"]:
        return {"sharedResources": deployed["sharedResources"]}
    if kinds != ["dedicated_resources"]:
        # The service's words (googleapis/python-aiplatform#773).
        raise invalid(
            f"'automatic_resources' is not supported for Model {deployed.get('model', '')}."
        )
    return {"dedicatedResources": check_dedicated(deployed["dedicatedResources"])}


def check_dedicated(resources: Mapping[str, Any]) -> Document:
    """Return machines with defaults; raises ApiError.

    Source: aiplatform v1, MachineSpec: the machine type of a DeployedModel is optional.
    """
    if "machineSpec" not in resources:
        raise invalid("The field `dedicated_resources.machine_spec` is required.")
    spec = {"machineType": _DEFAULT_MACHINE, **resources["machineSpec"]}
    check_machine(spec)
    _check_metrics(resources.get("autoscalingMetricSpecs", ()), spec)
    return {**resources, "machineSpec": spec, **_replicas(resources)}


def _check_metrics(specs: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> None:
    """Refuse an unknown or repeated metric, or a target that is not a percentage (ApiError).

    Source: aiplatform v1, `DedicatedResources.autoscalingMetricSpecs` and `AutoscalingMetricSpec`.
    Without accelerators the service scales by CPU "only"; that it refuses their metric then is our
    reading, and google-cloud-aiplatform does (`Endpoint.deploy`).
    """
    names = [spec.get("metricName", "") for spec in specs]
    for name in names:
        if name not in _METRICS:
            raise invalid(f'"{name}" is not a metric of `autoscaling_metric_specs`.')
        if names.count(name) > 1:
            raise invalid(f'`autoscaling_metric_specs` has the metric "{name}" more than once.')
    if _DUTY_CYCLE in names and not machine.get("acceleratorCount"):
        raise invalid(f"The metric {_DUTY_CYCLE} needs a machine_spec with accelerators.")
    for spec in specs:
        if spec["metricName"] in _PERCENTAGES and not 0 <= spec.get("target", 0) <= _WHOLE:
            raise invalid(f"The target of {spec['metricName']} is not a percentage from 1 to 100.")


def check_machine(spec: Mapping[str, Any]) -> None:
    """Refuse an unknown machine type or accelerator, or an incomplete pair of fields (ApiError)."""
    field = "`dedicated_resources.machine_spec"
    machine, count = spec.get("machineType", ""), spec.get("acceleratorCount", 0)
    if not machine:
        raise invalid(f"The field {field}.machine_type` is required.")
    check_machine_type(machine)
    accelerator = spec.get("acceleratorType", _UNSPECIFIED)
    if count < 0:
        raise invalid(f"The field {field}.accelerator_count` must not be negative.")
    for name in _NOT_OFFLINE:
        if spec.get(name):
            raise ApiError(
                Code.UNIMPLEMENTED, f"machine_spec.{snake(name)} is not available offline."
            )
    if (accelerator != _UNSPECIFIED) != bool(count):
        raise invalid(
            f"The fields {field}.accelerator_type` and {field}.accelerator_count` go together."
        )
    if count:
        check_pair(machine, accelerator, count)


def _replicas(machines: Mapping[str, Any]) -> dict[str, int]:
    least = machines.get("minReplicaCount", 0)
    most = machines.get("maxReplicaCount", 0) or least
    if least < 1:
        raise invalid("The field `dedicated_resources.min_replica_count` must be at least 1.")
    if not 0 <= machines.get("requiredReplicaCount", 0) <= most:
        raise invalid(
            "The field `dedicated_resources.required_replica_count` must be between 0 and"
            " max_replica_count."
        )
    if most < least:
        raise invalid(
            f"The field `dedicated_resources.max_replica_count` is {most}, less than"
            f" min_replica_count, which is {least}."
        )
    return {"minReplicaCount": least, "maxReplicaCount": most}


_MUTABLE = {
    "dedicatedResources.minReplicaCount",
    "dedicatedResources.maxReplicaCount",
    "dedicatedResources.requiredReplicaCount",
    "dedicatedResources.autoscalingMetricSpecs",
    "disableContainerLogging",
}


def mutate(deployed: Mapping[str, Any], body: Mapping[str, Any], names: list[str]) -> Document:
    """Return a DeployedModel with the masked fields of a body; raises ApiError."""
    if deployed.get("sharedResources"):
        raise invalid("A DeployedModel with shared_resources has no machines to mutate.")
    changed: Document = {**deployed, "dedicatedResources": {**deployed["dedicatedResources"]}}
    for name in names:
        if name not in _MUTABLE:
            raise invalid(f"The field `{name}` of a DeployedModel cannot be mutated.")
        head, _, below = name.partition(".")
        source = body.get(head, {}) if below else body
        target = changed[head] if below else changed
        key = below or head
        if key in source:
            target[key] = source[key]
        else:
            target.pop(key, None)
    return changed | check_resources(changed)
