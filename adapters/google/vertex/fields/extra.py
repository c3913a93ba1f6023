"""Raw request fields of a target: the field `extra`, merged into requests of Vertex AI.

extra:
  upload_model:
    containerSpec: {sharedMemorySizeMb: 512}
  create_endpoint:
    clientConnectionConfig: {inferenceTimeout: 120s}
  deploy_model:
    disableExplanations: true

The discovery document of aiplatform v1 validates them. The container's fingerprint includes those
of a Model; a digest at the end of a DeployedModel's display name, and in an Endpoint's label
`cloudserve-extra`, tells whether it was created with the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from cloudserve.errors import ProjectError
from cloudserve.hints import did_you_mean
from cloudserve.project import Where

from ....extra_fields import Extra, Ours, check_fields

LABEL = "cloudserve-extra"
MODEL, ENDPOINT, DEPLOYED = "upload_model", "create_endpoint", "deploy_model"
SCHEMAS = {MODEL: "Model", ENDPOINT: "Endpoint", DEPLOYED: "DeployedModel"}
PREFIX = "GoogleCloudAiplatformV1"
OURS: Ours = {
    MODEL: {
        "name": "endpoint_name",
        "displayName": "",
        "artifactUri": "bucket",
        "labels": "labels",
        "versionAliases": "",
        "versionDescription": "",
        "encryptionSpec": "kms_key",
        "containerSpec.imageUri": "image",
        "containerSpec.args": "args",
        "containerSpec.env": "env",
        "containerSpec.ports": "port",
        "containerSpec.predictRoute": "predict_route",
        "containerSpec.healthRoute": "health_route",
    },
    ENDPOINT: {
        "name": "endpoint_name",
        "displayName": "",
        "labels": "labels",
        "trafficSplit": "",
        "network": "network",
        "enablePrivateServiceConnect": "private_service_connect",
        "privateServiceConnectConfig.enablePrivateServiceConnect": "private_service_connect",
        "privateServiceConnectConfig.projectAllowlist": "private_service_connect",
        "encryptionSpec": "kms_key",
        "dedicatedEndpointEnabled": "dedicated_endpoint",
    },
    DEPLOYED: {
        "id": "",
        "model": "",
        "displayName": "",
        "serviceAccount": "service_account",
        "enableAccessLogging": "access_logging",
        "disableContainerLogging": "container_logging",
        "automaticResources": "machine_type",
        "sharedResources": "machine_type",
        "dedicatedResources.machineSpec": "machine_type",
        "dedicatedResources.minReplicaCount": "min_replicas",
        "dedicatedResources.maxReplicaCount": "max_replicas",
        "dedicatedResources.autoscalingMetricSpecs": "cpu_target",
        "dedicatedResources.spot": "spot",
    },
}
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
LONG = frozenset({"int64", "uint64"})


def check_extra(extra: Extra, where: Where) -> None:
    """Raise ProjectError for an unknown request, a field of cloudserve's, or an invalid value."""

    def check(name: str, fields: Mapping[str, Any]) -> None:
        schema = {"$ref": f"{PREFIX}{SCHEMAS[name]}"}
        for path, problem, hint in _problems(schema, fields, f"extra.{name}"):
            raise ProjectError(f"`{path}` {problem}", where=where(path), hint=hint or None)

    check_fields(extra, OURS, where, check)


@cache
def _schemas() -> Mapping[str, Any]:
    from googleapiclient import discovery_cache

    document = discovery_cache.get_static_doc("aiplatform", "v1")
    schemas: Mapping[str, Any] = json.loads(document or "{}").get("schemas", {})
    return schemas


def _problems(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield the path, the problem and a hint of each value that does not fit a schema."""
    schema = _schemas().get(schema.get("$ref", ""), schema)
    kind = schema.get("type", "any")
    # 64-bit integers are strings in JSON, and Google's parser takes numbers for them, too.
    allowed = (str, int) if schema.get("format") in LONG else TYPES.get(kind)
    if allowed is not None and (
        not isinstance(value, allowed) or (isinstance(value, bool) and kind != "boolean")
    ):
        yield path, f"must be of the type {kind}, not `{value}`", ""
    elif schema.get("readOnly"):
        yield path, "is an output field", ""
    elif "enum" in schema and value not in schema["enum"]:
        yield path, f"is not one of {', '.join(schema['enum'])}", ""
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _problems(schema.get("items", {}), entry, f"{path}.{number}")
    elif isinstance(value, dict):
        yield from _object_problems(schema, value, path)


def _object_problems(
    schema: Mapping[str, Any], value: Mapping[str, Any], path: str
) -> Iterator[tuple[str, str, str]]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for key, entry in value.items():
        if key in properties:
            yield from _problems(properties[key], entry, f"{path}.{key}")
        elif others is not None:
            yield from _problems(others, entry, f"{path}.{key}")
        elif properties:
            yield f"{path}.{key}", "is unknown", did_you_mean(key, properties)
