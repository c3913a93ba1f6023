"""Endpoint configurations: the models that an endpoint serves and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....resources import Document
from ...protocol.errors import invalid
from ...sns.topics import may_exist
from ..instances import check_multi_model, check_variant_instance
from ..metrics_config import check_metrics_frequency
from ..multi_container import containers_of
from ..records import CONFIG, MODEL, Records
from .component_options import check_component_config
from .incompatible_options import check_config, check_serverless_model, check_shadowed_model

# Options that change how an endpoint answers and are not implemented offline.
_NOT_OFFLINE = ("ExplainerConfig", "CrossRegionTrafficConfig")
_NOT_OFFLINE_IN_A_VARIANT = (
    "InstancePools",
    "AcceleratorPartitionLayouts",
    "VariantInstanceProvisionTimeoutInSeconds",
)
_KEPT = (
    "AsyncInferenceConfig",
    "DataCaptureConfig",
    "KmsKeyId",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
    "MetricsConfig",
)


_MEMORY_STEP = 1024
_FIFO = ".fifo"


class EndpointConfigs:
    """CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs, DeleteEndpointConfig."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, region: str, body: Document) -> Document:
        """Create a configuration; raises AwsError if one of its models does not exist."""
        for field in _NOT_OFFLINE:
            if field in body:
                raise invalid(f"{field} is not available offline.")
        variants, shadows = body["ProductionVariants"], body.get("ShadowProductionVariants", [])
        all_variants = [*variants, *shadows]
        if len({variant["VariantName"] for variant in all_variants}) < len(all_variants):
            raise invalid("Production variant names must be unique.")
        for variant in all_variants:
            self._check_variant(region, variant)
            check_variant_instance(variant)
            if shadows and "ModelName" in variant:
                check_shadowed_model(self._records.stored(MODEL, region, variant["ModelName"]))
        check_config(body)
        check_metrics_frequency(body.get("MetricsConfig", {}))
        check_component_config(body)
        self._check_topics(body)
        config = {key: body[key] for key in _KEPT if key in body}
        config["ProductionVariants"] = _weighted(variants)
        if shadows:
            config["ShadowProductionVariants"] = _weighted(shadows)
        name = body["EndpointConfigName"]
        arn = self._records.create(CONFIG, region, name, config, body.get("Tags", []))
        return {"EndpointConfigArn": arn}

    def _check_variant(self, region: str, variant: Mapping[str, Any]) -> None:
        name = variant["VariantName"]
        for field in _NOT_OFFLINE_IN_A_VARIANT:
            if field in variant:
                raise invalid(f"{field} of production variant {name} is not available offline.")
        model = None
        if "ModelName" in variant:
            model = self._records.stored(MODEL, region, variant["ModelName"])
        elif "ServerlessConfig" in variant:
            raise invalid(f"ModelName is required for serverless production variant {name}.")
        if ("InstanceType" in variant) == ("ServerlessConfig" in variant):
            raise invalid(
                f"Exactly one of InstanceType and ServerlessConfig is required for production"
                f" variant {name}."
            )
        if "InstanceType" in variant and "InitialInstanceCount" not in variant:
            raise invalid(f"InitialInstanceCount is required for production variant {name}.")
        if model is None:
            return
        if "ServerlessConfig" in variant:
            check_serverless(name, variant["ServerlessConfig"])
            check_serverless_model(model)
            return
        for container in containers_of(model):
            check_multi_model(container, variant["InstanceType"])

    def _check_topics(self, body: Mapping[str, Any]) -> None:
        """Raise AwsError for a topic that does not exist offline, whose messages would be lost.

        Whether the service checks it is not documented.
        """
        output = body.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
        for field in ("SuccessTopic", "ErrorTopic"):
            topic = output.get("NotificationConfig", {}).get(field)
            if topic and topic.endswith(_FIFO):
                raise invalid(f"{field} {topic}: FIFO topics are not available offline.")
            if topic and not may_exist(self._records.resources, topic):
                raise invalid(
                    f"{field} {topic} does not exist offline: create it with CreateTopic."
                )

    def describe(self, region: str, body: Document) -> Document:
        """Return a configuration as it was created."""
        return self._records.get(CONFIG, region, body["EndpointConfigName"])

    def list(self, region: str, body: Document) -> Document:
        """Return a page of configurations."""
        fields = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        return self._records.page(CONFIG, region, body, fields)

    def delete(self, region: str, body: Document) -> None:
        """Delete a configuration; endpoints made from it keep their copy."""
        self._records.delete(CONFIG, region, body["EndpointConfigName"])


def _weighted(variants: list[Document]) -> list[Document]:
    return [{"InitialVariantWeight": 1.0} | variant for variant in variants]


def check_serverless(name: str, config: Mapping[str, Any]) -> None:
    """Raise AwsError if a serverless variant's settings are invalid or contradictory."""
    memory = config.get("MemorySizeInMB", _MEMORY_STEP)
    if memory % _MEMORY_STEP:
        sizes = ", ".join(str(size) for size in range(1024, 6145, _MEMORY_STEP))
        raise invalid(f"MemorySizeInMB of production variant {name} must be one of {sizes}.")
    if config.get("ProvisionedConcurrency", 0) > config["MaxConcurrency"]:
        raise invalid(
            f"ProvisionedConcurrency of production variant {name} must be less than or equal to"
            " its MaxConcurrency."
        )
