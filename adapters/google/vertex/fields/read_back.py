"""The fields of a target as Vertex AI describes them, for `status`.

Each value has the form that the project file gives it, so that both can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .machines import TARGETS

OWN = "cloudserve-"


def shown_fields(
    version: Mapping[str, Any], deployed: Mapping[str, Any], endpoint: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a Model, its DeployedModel and its Endpoint; {} for what is missing."""
    return {
        **fields_of_endpoint(endpoint),
        **fields_of_deployed(deployed),
        **fields_of_version(version),
    }


def fields_of_version(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a Model has."""
    container = record.get("containerSpec", {})
    labels = record.get("labels", {})
    return _given(
        {
            "image": container.get("imageUri"),
            "env": environment_of(container),
            "kms_key": _key(record),
            "labels": {key: value for key, value in labels.items() if not key.startswith(OWN)},
        }
    )


def environment_of(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of a ModelContainerSpec."""
    return {entry["name"]: entry.get("value", "") for entry in container.get("env", ())}


def fields_of_deployed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a DeployedModel has."""
    resources = record.get("dedicatedResources", {})
    machine = resources.get("machineSpec", {})
    metrics = resources.get("autoscalingMetricSpecs", ())
    targets = {spec.get("metricName"): spec.get("target") for spec in metrics}
    fields = _given(
        {
            "machine_type": machine.get("machineType"),
            "accelerator_type": machine.get("acceleratorType"),
            "accelerator_count": machine.get("acceleratorCount"),
            "spot": resources.get("spot"),
            "min_replicas": resources.get("minReplicaCount"),
            "max_replicas": resources.get("maxReplicaCount"),
            **{name: targets.get(metric) for name, metric in TARGETS.items()},
            "service_account": record.get("serviceAccount"),
            "access_logging": record.get("enableAccessLogging"),
        }
    )
    return fields | ({"container_logging": False} if record.get("disableContainerLogging") else {})


def fields_of_endpoint(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that an Endpoint has."""
    connect = record.get("privateServiceConnectConfig", {})
    projects = sorted(connect.get("projectAllowlist", ()))
    return _given(
        {
            "dedicated_endpoint": record.get("dedicatedEndpointEnabled"),
            "network": record.get("network"),
            "private_service_connect": {"projects": projects} if projects else None,
            "kms_key": _key(record),
        }
    )


def _key(record: Mapping[str, Any]) -> Any:
    return record.get("encryptionSpec", {}).get("kmsKeyName")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", {}, False)}
