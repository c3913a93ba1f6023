"""The machines that predictions run on, and which accelerators go with which.

Source: Vertex AI, "Configure compute resources for inference" (read in November 2026) and
MachineSpec, AutoscalingMetricSpec in aiplatform v1. A machine of a family that this table does not
know is passed on as it is: the platform has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudserve.errors import UserError
from cloudserve.project import Where

from .options import Options

Pair = tuple[str, int]
"""An accelerator's type and how many; ("", 0) for none."""
WITHOUT = re.compile(r"(e2|n2|n2d|c2|c2d|c3|c3d|c4|n4)-")
"""Families that take no accelerator."""
N1 = re.compile(r"n1-(standard|highmem|highcpu)-(\d+)")
N1_COUNTS = {
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
}
BUILT_IN: dict[str, Pair] = {
    **{f"g2-standard-{n}": ("NVIDIA_L4", 1) for n in (4, 8, 12, 16, 32)},
    "g2-standard-24": ("NVIDIA_L4", 2),
    "g2-standard-48": ("NVIDIA_L4", 4),
    "g2-standard-96": ("NVIDIA_L4", 8),
    **{f"a2-highgpu-{n}g": ("NVIDIA_TESLA_A100", n) for n in (1, 2, 4, 8)},
    "a2-megagpu-16g": ("NVIDIA_TESLA_A100", 16),
    **{f"a2-ultragpu-{n}g": ("NVIDIA_A100_80GB", n) for n in (1, 2, 4, 8)},
    **{f"a3-highgpu-{n}g": ("NVIDIA_H100_80GB", n) for n in (1, 2, 4, 8)},
    "a3-edgegpu-8g": ("NVIDIA_H100_80GB", 8),
    "a3-megagpu-8g": ("NVIDIA_H100_MEGA_80GB", 8),
    "a3-ultragpu-8g": ("NVIDIA_H200_141GB", 8),
}
"""Machines that have their accelerators built in: which, and how many."""
SIZES = {"n1": (2, 4, 8, 16, 32), "e2": (2, 4, 8, 16, 32)}
"""Families whose sizes for predictions are fewer than Compute Engine's."""
TYPE = re.compile(r"([a-z]+\d+[a-z]*)-[a-z]+-(\d+)[gt]?(-[a-z]+)?")
REQUEST_METRIC = "aiplatform.googleapis.com/prediction/online/request_count"
CPU_METRIC = "aiplatform.googleapis.com/prediction/online/cpu/utilization"
GPU_METRIC = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle"
TARGETS = {"cpu_target": CPU_METRIC, "gpu_target": GPU_METRIC, "request_target": REQUEST_METRIC}
"""The fields of autoscaling -> AutoscalingMetricSpec.metricName (aiplatform v1)."""


def with_accelerator(options: Options, where: Where) -> Options:
    """Return the options with the machine's accelerators spelled out.

    Raises UserError for a pair of machine and accelerator that Vertex AI does not have, and for a
    `gpu_target` without accelerators.
    """
    kind, count = _accelerator_of(options, where)
    if options.gpu_target and not count:
        message = f"`gpu_target` needs an accelerator, and {options.machine_type} has none"
        raise _wrong(message, where, "gpu_target")
    return replace(options, accelerator_type=kind, accelerator_count=count)


def _accelerator_of(options: Options, where: Where) -> Pair:
    kind, count = options.accelerator_type, options.accelerator_count
    machine = options.machine_type
    _check_type(machine, where)
    if count and not kind:
        raise _wrong("`accelerator_count` needs an `accelerator_type`", where, "accelerator_count")
    if machine in BUILT_IN:
        return _built_in(options, BUILT_IN[machine], where)
    if not kind:
        return "", 0
    if WITHOUT.match(machine):
        raise _wrong(f"{machine} takes no accelerator", where, "accelerator_type")
    accelerator = (kind, count or 1)
    if N1.fullmatch(machine):
        _check_n1(accelerator, machine, where)
    return accelerator


def _check_type(machine: str, where: Where) -> None:
    match = TYPE.fullmatch(machine)
    if match is None:
        message = (
            f"`{machine}` is not a machine type: expected FAMILY-KIND-SIZE, such as n1-standard-2"
        )
        raise _wrong(message, where, "machine_type")
    family, size = match[1], int(match[2])
    sizes = SIZES.get(family, (size,))
    if size not in sizes:
        choice = ", ".join(map(str, sizes))
        message = f"there is no {machine} for predictions; {family} has the sizes {choice}"
        raise _wrong(message, where, "machine_type")
    known = [name for name in BUILT_IN if name.startswith(f"{family}-")]
    if known and machine not in known:
        message = f"there is no {machine} for predictions; there are {', '.join(known)}"
        raise _wrong(message, where, "machine_type")


def _built_in(options: Options, has: Pair, where: Where) -> Pair:
    pair = (options.accelerator_type, options.accelerator_count or has[1])
    if pair[0] and pair != has:
        message = (
            f"{options.machine_type} has {has[1]} x {has[0]} built in, not {pair[1]} x {pair[0]}"
        )
        raise _wrong(message, where, "accelerator_type")
    return has


def _check_n1(accelerator: Pair, machine: str, where: Where) -> None:
    kind, count = accelerator
    counts = N1_COUNTS.get(kind)
    if counts is None:
        message = f"{machine} takes no {kind}; it takes {', '.join(N1_COUNTS)}"
        raise _wrong(message, where, "accelerator_type")
    if count not in counts:
        choice = ", ".join(map(str, counts))
        message = f"{machine} takes {choice} of {kind}, not {count}"
        raise _wrong(message, where, "accelerator_count")


def check_replicas(options: Options, where: Where) -> None:
    """Raise UserError for replicas and targets that contradict each other."""
    if options.max_replicas and options.max_replicas < options.min_replicas:
        message = f"`max_replicas` is {options.max_replicas}, below `min_replicas`"
        raise _wrong(f"{message}, {options.min_replicas}", where, "max_replicas")
    targets = {name: getattr(options, name) for name in TARGETS}
    for name, target in targets.items():
        if target and options.max_replicas <= options.min_replicas:
            message = f"`{name}` needs `max_replicas` above `min_replicas` to scale to"
            raise _wrong(message, where, name)


def machine_spec(options: Options) -> dict[str, Any]:
    """Return a MachineSpec (aiplatform v1) for options whose accelerator is resolved."""
    spec: dict[str, Any] = {"machineType": options.machine_type}
    if options.accelerator_count:
        spec["acceleratorType"] = options.accelerator_type
        spec["acceleratorCount"] = options.accelerator_count
    return spec


def scaling(options: Options) -> dict[str, Any]:
    """Return the part of DedicatedResources that a running deployment can change."""
    least = options.min_replicas
    targets = ((metric, getattr(options, name)) for name, metric in TARGETS.items())
    return {
        "minReplicaCount": least,
        "maxReplicaCount": max(least, options.max_replicas),
        "autoscalingMetricSpecs": [
            {"metricName": name, "target": target} for name, target in targets if target
        ],
    }


def holds(existing: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Return whether a resource has all wanted fields; the platform may add others.

    A missing field has its default: 0, "", false, [].
    """
    return all(existing.get(name, type(value)()) == value for name, value in expected.items())


def _wrong(message: str, where: Where, name: str) -> UserError:
    hint = f"correct `{name}`, or leave it out for the default"
    return UserError(message, where=where(name), hint=hint)
