"""Deployments: an endpoint configuration's variants and their models, as a document.

A deployment copies the configuration and its models, so that an endpoint survives their deletion,
as on AWS, and can be loaded again after a restart.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from cloudserve.errors import ModelError

from ...resources import Document
from .images import running_image
from .model_packages import check_deployable
from .models import container_of
from .records import MODEL, Records

_SETTINGS = {"capture": "DataCaptureConfig", "async": "AsyncInferenceConfig"}


class DeploymentError(ModelError):
    """A deployment could not be loaded; the message is the endpoint's FailureReason."""


def make(records: Records, region: str, config: Mapping[str, Any]) -> Document:
    """Copy a configuration and its models.

    Raises AwsError if a model is missing or its package is not approved.
    """
    shadows = config.get("ShadowProductionVariants", [])
    # A new id per deployment: the old one serves until the new one is ready.
    return {
        "id": uuid.uuid4().hex,
        "config": config["EndpointConfigName"],
        "created": records.now(),
        "variants": [_variant(records, region, v) for v in config["ProductionVariants"]],
        "shadows": [_variant(records, region, v) for v in shadows],
        **{key: config[field] for key, field in _SETTINGS.items() if field in config},
    }


def _variant(records: Records, region: str, variant: Mapping[str, Any]) -> Document:
    container = container_of(records.stored(MODEL, region, variant["ModelName"]))
    check_deployable(records, region, container)
    return {
        "name": variant["VariantName"],
        "weight": variant["InitialVariantWeight"],
        "count": variant.get("InitialInstanceCount", 0),
        "serverless": variant.get("ServerlessConfig"),
        "instance": variant.get("InstanceType"),
        "region": region,
        "startup": variant.get("ContainerStartupHealthCheckTimeoutInSeconds"),
        "container": container,
    }


def variants(deployment: Mapping[str, Any]) -> list[Document]:
    """Return the production variants and the shadow variants."""
    return [*deployment["variants"], *deployment.get("shadows", [])]


def instances(deployment: Mapping[str, Any]) -> int:
    """Return the number of instances of the production variants."""
    return sum(variant["count"] for variant in deployment["variants"])


def key(deployment: Mapping[str, Any], variant: str) -> str:
    """Return a variant's key in the container pool."""
    return f"{deployment['id']}/{variant}"


def summaries(
    deployment: Mapping[str, Any], rehearsed: Collection[str], *, shadows: bool = False
) -> list[Document]:
    """Return the production or shadow variants as DescribeEndpoint shows them.

    `rehearsed` holds the images that a command replaces.
    """
    chosen = deployment.get("shadows", []) if shadows else deployment["variants"]
    return [_summary(variant, deployment["created"], rehearsed) for variant in chosen]


def _summary(variant: Mapping[str, Any], created: float, rehearsed: Collection[str]) -> Document:
    image = variant["container"]["Image"]
    summary: Document = {
        "VariantName": variant["name"],
        "DeployedImages": [
            {
                "SpecifiedImage": image,
                "ResolvedImage": running_image(image, rehearsed),
                "ResolutionTime": created,
            }
        ],
        "CurrentWeight": variant["weight"],
        "DesiredWeight": variant["weight"],
    }
    if variant["serverless"]:
        settings = {
            "CurrentServerlessConfig": variant["serverless"],
            "DesiredServerlessConfig": variant["serverless"],
        }
        return summary | settings
    return summary | {
        "CurrentInstanceCount": variant["count"],
        "DesiredInstanceCount": variant["count"],
    }
