"""SageMaker's endpoint configurations: which models an endpoint serves, with which weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..resources import Document
from .errors import invalid
from .sagemaker_records import CONFIG, MODEL, Records

# What would change how an endpoint answers, and is not carried out here, is refused.
_NOT_OFFLINE = (
    "AsyncInferenceConfig",
    "DataCaptureConfig",
    "ExplainerConfig",
    "ShadowProductionVariants",
    "CrossRegionTrafficConfig",
)
_KEPT = (
    "ProductionVariants",
    "KmsKeyId",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
    "MetricsConfig",
)


class Configs:
    """CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs, DeleteEndpointConfig."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, region: str, body: Document) -> Document:
        """Create a configuration; raises AwsError when a model of it is not there."""
        for field in _NOT_OFFLINE:
            if field in body:
                raise invalid(f"{field} is not available offline.")
        variants = body["ProductionVariants"]
        if len({variant["VariantName"] for variant in variants}) < len(variants):
            raise invalid("Production variant names must be unique.")
        for variant in variants:
            self._check_variant(region, variant)
        config = {key: body[key] for key in _KEPT if key in body}
        config["ProductionVariants"] = [{"InitialVariantWeight": 1.0} | v for v in variants]
        name = body["EndpointConfigName"]
        arn = self._records.create(CONFIG, region, name, config, body.get("Tags", []))
        return {"EndpointConfigArn": arn}

    def _check_variant(self, region: str, variant: Mapping[str, Any]) -> None:
        name = variant["VariantName"]
        if "ModelName" not in variant:
            raise invalid(f"ModelName is required for production variant {name}.")
        self._records.stored(MODEL, region, variant["ModelName"])
        if ("InstanceType" in variant) == ("ServerlessConfig" in variant):
            raise invalid(
                f"Exactly one of InstanceType and ServerlessConfig is required for production"
                f" variant {name}."
            )
        if "InstanceType" in variant and "InitialInstanceCount" not in variant:
            raise invalid(f"InitialInstanceCount is required for production variant {name}.")

    def describe(self, region: str, body: Document) -> Document:
        """Return a configuration as it was created."""
        return self._records.get(CONFIG, region, body["EndpointConfigName"])

    def list(self, region: str, body: Document) -> Document:
        """Return a page of configurations."""
        fields = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        return self._records.page(CONFIG, region, body, fields)

    def delete(self, region: str, body: Document) -> None:
        """Delete a configuration; endpoints made from it go on with their copy."""
        self._records.delete(CONFIG, region, body["EndpointConfigName"])
