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
    fields = {**_of_version(version), **_of_deployed(deployed), **_of_endpoint(endpoint)}
    return {name: value for name, value in fields.items() if value not in (None, "", {}, False)}


def _of_version(record: Mapping[str, Any]) -> dict[str, Any]:
    container = record.get("containerSpec", {})
    labels = record.get("labels", {})
    return {
        "image": container.get("imageUri"),
        "env": {entry["name"]: entry.get("value", "") for entry in container.get("env", ())},
        "kms_key": record.get("encryptionSpec", {}).get("kmsKeyName"),
        "labels": {key: value for key, value in labels.items() if not key.startswith(OWN)},
    }


def _of_deployed(record: Mapping[str, Any]) -> dict[str, Any]:
    resources = record.get("dedicatedResources", {})
    machine = resources.get("machineSpec", {})
    metrics = resources.get("autoscalingMetricSpecs", ())
    targets = {spec.get("metricName"): spec.get("target") for spec in metrics}
    return {
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


def _of_endpoint(record: Mapping[str, Any]) -> dict[str, Any]:
    connect = record.get("privateServiceConnectConfig", {})
    projects = list(connect.get("projectAllowlist", ()))
    return {
        "dedicated_endpoint": record.get("dedicatedEndpointEnabled"),
        "network": record.get("network"),
        "private_service_connect": {"projects": projects} if projects else None,
    }
