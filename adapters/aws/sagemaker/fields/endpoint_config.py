"""The endpoint configuration for a target's options: variants, settings, update policy.

Source: SageMaker API reference, `ProductionVariant`, `DataCaptureConfig`, `AsyncInferenceConfig`,
`DeploymentConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ....extra_fields import merged
from ..records import Endpoint, Spec, new_variant
from .extra import CONFIG, VARIANT
from .options import Options, Update

CAPTURE, ASYNC, KEY = "DataCaptureConfig", "AsyncInferenceConfig", "KmsKeyId"
VPC, ISOLATION = "VpcConfig", "EnableNetworkIsolation"
MANAGED = (
    "InstanceType",
    "InitialInstanceCount",
    "ServerlessConfig",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "VolumeSizeInGB",
)
"""The fields of a variant that the options decide on."""
GRACE = 600
"""Seconds that an update may take beyond its waits, for its instances to start."""
LONGEST = 28800
"""The most that MaximumExecutionTimeoutInSeconds may be."""
WHOLE = 100
CONTENT = {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]}
"""Captured as text, not as base64."""


def variant(options: Options, name: str, model: str, *, idle: bool = False) -> Spec:
    """Return a variant for a SageMaker Model; an idle one is the least that answers."""
    count = 1 if idle else options.instance_count
    spec: dict[str, Any] = {**new_variant(name, model, options.instance_type, count)}
    spec = merged(spec, options.extra.get(VARIANT, {}))
    if options.serverless:
        del spec["InstanceType"], spec["InitialInstanceCount"]
        spec["ServerlessConfig"] = _serverless(options, idle=idle)
        return spec
    if options.download_seconds:
        spec["ModelDataDownloadTimeoutInSeconds"] = options.download_seconds
    if options.startup_seconds:
        spec["ContainerStartupHealthCheckTimeoutInSeconds"] = options.startup_seconds
    if options.volume_size_gb:
        spec["VolumeSizeInGB"] = options.volume_size_gb
    return spec


def shadow(options: Options, name: str, model: str) -> Spec:
    """Return a shadow variant; its weight is its share of the live variant's requests."""
    weight = options.shadow_percent / WHOLE
    return {**variant(options, name, model, idle=True), "InitialVariantWeight": weight}


def _serverless(options: Options, *, idle: bool) -> dict[str, int]:
    config = {
        "MemorySizeInMB": options.serverless_memory_mb,
        "MaxConcurrency": options.serverless_concurrency,
    }
    if options.serverless_provisioned and not idle:
        config["ProvisionedConcurrency"] = options.serverless_provisioned
    return config


def settings(options: Options) -> dict[str, Any]:
    """Return the arguments of CreateEndpointConfig beside the variants."""
    fields: dict[str, Any] = {}
    if options.capture_percent:
        fields[CAPTURE] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": options.capture_percent,
            "DestinationS3Uri": options.capture_url or f"{options.bucket.rstrip('/')}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": CONTENT,
        }
    if options.async_output:
        fields[ASYNC] = _asynchronous(options)
    if options.kms_key:
        fields[KEY] = options.kms_key
    return merged(fields, options.extra.get(CONFIG, {}))


def network(options: Options) -> dict[str, Any]:
    """Return the network arguments of CreateModel; {} leaves them to SageMaker."""
    subnets, groups = options.vpc
    vpc = {VPC: {"SecurityGroupIds": list(groups), "Subnets": list(subnets)}} if subnets else {}
    return vpc | ({ISOLATION: True} if options.network_isolation else {})


def same_network(expected: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
    """Return whether a SageMaker Model has the wanted network, in any order."""
    is_isolated = bool(model.get(ISOLATION)) == bool(expected.get(ISOLATION))
    return is_isolated and _vpc_of(expected) == _vpc_of(model)


def _vpc_of(model: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    vpc = model.get(VPC) or {}
    return set(vpc.get("SecurityGroupIds", ())), set(vpc.get("Subnets", ()))


def _asynchronous(options: Options) -> dict[str, Any]:
    output = {"S3OutputPath": options.async_output}
    if options.async_failures:
        output["S3FailurePath"] = options.async_failures
    config: dict[str, Any] = {"OutputConfig": output}
    if options.async_concurrency:
        limit = {"MaxConcurrentInvocationsPerInstance": options.async_concurrency}
        config["ClientConfig"] = limit
    return config


def policy(options: Options) -> dict[str, Any]:
    """Return the DeploymentConfig of an update; {} leaves it to SageMaker."""
    if options.update is Update.NONE:
        return {}
    limit = waits(options) + GRACE
    config: dict[str, Any]
    if options.update is Update.ROLLING:
        config = {
            "RollingUpdatePolicy": {
                "MaximumBatchSize": _percent(options),
                "WaitIntervalInSeconds": options.update_wait_seconds,
                "MaximumExecutionTimeoutInSeconds": limit,
            }
        }
    else:
        config = {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": _routing(options),
                "TerminationWaitInSeconds": options.update_bake_seconds,
                "MaximumExecutionTimeoutInSeconds": limit,
            }
        }
    if options.alarm_names:
        alarms = [{"AlarmName": name} for name in options.alarm_names]
        config["AutoRollbackConfiguration"] = {"Alarms": alarms}
    return config


def _routing(options: Options) -> dict[str, Any]:
    wait = options.update_wait_seconds
    match options.update:
        case Update.CANARY:
            return {
                "Type": "CANARY",
                "CanarySize": _percent(options),
                "WaitIntervalInSeconds": wait,
            }
        case Update.LINEAR:
            return {
                "Type": "LINEAR",
                "LinearStepSize": _percent(options),
                "WaitIntervalInSeconds": wait,
            }
        case _:
            return {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}


def _percent(options: Options) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": options.update_percent}


def waits(options: Options) -> int:
    """Return the seconds that an update waits by its policy, without what instances take."""
    steps = -(-WHOLE // options.update_percent)
    match options.update:
        case Update.NONE:
            return 0
        case Update.ROLLING:
            return steps * options.update_wait_seconds
        case Update.LINEAR:
            return (steps - 1) * options.update_wait_seconds + options.update_bake_seconds
        case Update.CANARY:
            return options.update_wait_seconds + options.update_bake_seconds
        case Update.ALL_AT_ONCE:
            return options.update_bake_seconds


def machines_text(spec: Spec) -> str:
    """Return the machines of a variant, for people: `2 x ml.m5.large`, `serverless 2048 MB`."""
    config = spec.get("ServerlessConfig")
    if config is None:
        return f"{spec.get('InitialInstanceCount', 1)} x {spec.get('InstanceType', 'instances')}"
    warm = config.get("ProvisionedConcurrency")
    extra = f", {warm} kept warm" if warm else ""
    return f"serverless {config['MemorySizeInMB']} MB, {config['MaxConcurrency']} at once{extra}"


def same_machines(expected: Spec, existing: Spec) -> bool:
    """Return whether a variant has the wanted machines; other fields are ignored."""
    return all(_like(expected.get(key), existing.get(key)) for key in MANAGED)


def same_settings(expected: Mapping[str, Any], endpoint: Endpoint) -> bool:
    """Return whether a configuration has the wanted capture, asynchronous settings and key."""
    keys = (CAPTURE, ASYNC, KEY)
    return all(_like(expected.get(key), endpoint.settings.get(key)) for key in keys)


def as_text(value: Mapping[str, Any]) -> str:
    """Return a mapping as JSON text, one text for one content."""
    return msgspec.json.encode(value, order="sorted").decode()


def _like(expected: Any, existing: Any) -> bool:
    if isinstance(expected, Mapping) and isinstance(existing, Mapping):
        return all(_like(value, existing.get(key)) for key, value in expected.items())
    return bool(expected == existing)
