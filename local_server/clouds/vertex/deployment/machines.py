"""The machines of a deployment: Vertex AI's rules for prediction resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....status import Code
from ...google.common.errors import ApiError
from ...resources import Document
from ..records import invalid
from .machine_types import check_machine_type, check_pair

_KINDS = {
    "dedicatedResources": "dedicated_resources",
    "automaticResources": "automatic_resources",
    "sharedResources": "shared_resources",
}

_UNSPECIFIED = "ACCELERATOR_TYPE_UNSPECIFIED"


def check_resources(deployed: Mapping[str, Any]) -> Document:
    """Return a deployment's machines with defaults; raises ApiError."""
    kinds = [word for field, word in _KINDS.items() if deployed.get(field)]
    if len(kinds) > 1:
        raise invalid(f"Only one of {' and '.join(f'`{word}`' for word in kinds)} may be set.")
    if kinds == ["shared_resources"]:
        raise ApiError(
            Code.UNIMPLEMENTED, "deployed_model.shared_resources is not available offline."
        )
    if kinds != ["dedicated_resources"]:
        # The service's words (googleapis/python-aiplatform#773).
        raise invalid(
            f"'automatic_resources' is not supported for Model {deployed.get('model', '')}."
        )
    machines: Document = dict(deployed["dedicatedResources"])
    check_machine(machines.get("machineSpec", {}))
    return machines | _replicas(machines)


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
    changed["dedicatedResources"] = check_resources(changed)
    return changed
