"""Deployments: an endpoint configuration's variants and their models.

A deployment copies the configuration and its models, so that an endpoint survives their deletion,
as on AWS, and can be loaded again after a restart.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from cloudserve.errors import ModelError

from ....resources import Document
from ...protocol.arns import DEFAULT_REGION
from ..images import running_image
from ..model_packages import check_deployable
from ..multi_container import SERIAL, containers_of, mode_of, names_of
from ..records import MODEL, Records


class DeploymentError(ModelError):
    """A deployment could not be loaded; the message is the endpoint's FailureReason."""


class Variant(msgspec.Struct, kw_only=True):
    """A production or shadow variant; containers and settings are as in the API.

    A variant without a model has no container: its endpoint hosts inference components.
    """

    name: str
    weight: float
    count: int = 0
    serverless: Document | None = None
    instance: str | None = None
    region: str = DEFAULT_REGION
    startup: float | None = None
    """The start timeout of a user's own container, in seconds."""
    container: Document | None
    more: list[Document] = []
    """The other containers of a model of several."""
    mode: str = SERIAL
    """How requests reach several containers."""
    isolated: bool = False
    """Whether its model has EnableNetworkIsolation."""
    scaling: Document | None = None
    """The ManagedInstanceScaling."""
    routing: Document | None = None
    """The RoutingConfig."""

    @property
    def containers(self) -> list[tuple[str, Document]]:
        """Return the containers with their names."""
        containers = [] if self.container is None else [self.container, *self.more]
        return list(zip(names_of(containers), containers, strict=True))


class Deployment(msgspec.Struct, kw_only=True):
    """The variants of an endpoint configuration, as an endpoint serves them."""

    id: str
    config: str
    created: float
    variants: list[Variant]
    shadows: list[Variant] = []
    capture: Document | None = None
    asynchronous: Document | None = msgspec.field(default=None, name="async")
    endpoint: str = ""
    """The endpoint's name; data folders of older versions do not have it."""
    policy: Document = {}
    """The DeploymentConfig of the update."""
    role: str | None = None
    """The ExecutionRoleArn of a configuration without models."""
    isolated: bool = False
    """Whether the containers of all components have no network."""

    @property
    def hosts_components(self) -> bool:
        """Return whether the endpoint hosts inference components instead of models."""
        return any(variant.container is None for variant in self.variants)

    @property
    def component_access(self) -> Document:
        """Return what CreateModel would be told about access, for components without a model."""
        return {} if self.role is None else {"ExecutionRoleArn": self.role}

    @property
    def all_variants(self) -> list[Variant]:
        """Return the production variants and the shadow variants."""
        return [*self.variants, *self.shadows]

    @property
    def instances(self) -> int:
        """Return the number of instances of the production variants."""
        return sum(variant.count for variant in self.variants)

    def key(self, variant: Variant) -> str:
        """Return a variant's key in the container pool."""
        return f"{self.id}/{variant.name}"


def make(records: Records, region: str, endpoint: str, config: Mapping[str, Any]) -> Deployment:
    """Copy a configuration and its models, for an endpoint.

    Raises AwsError if a model is missing or its package is not approved.
    """
    shadows = config.get("ShadowProductionVariants", [])
    # A new id per deployment: the old one serves until the new one is ready.
    return Deployment(
        id=uuid.uuid4().hex,
        config=config["EndpointConfigName"],
        created=records.now(),
        variants=[_variant(records, region, v) for v in config["ProductionVariants"]],
        shadows=[_variant(records, region, v) for v in shadows],
        capture=config.get("DataCaptureConfig"),
        asynchronous=config.get("AsyncInferenceConfig"),
        endpoint=endpoint,
        role=config.get("ExecutionRoleArn"),
        isolated=bool(config.get("EnableNetworkIsolation")),
    )


def _variant(records: Records, region: str, variant: Mapping[str, Any]) -> Variant:
    model = _model(records, region, variant)
    containers = containers_of(model) if model else []
    for container in containers:
        check_deployable(records, region, container)
    return Variant(
        name=variant["VariantName"],
        weight=variant["InitialVariantWeight"],
        count=variant.get("InitialInstanceCount", 0),
        serverless=variant.get("ServerlessConfig"),
        instance=variant.get("InstanceType"),
        region=region,
        startup=variant.get("ContainerStartupHealthCheckTimeoutInSeconds"),
        container=containers[0] if containers else None,
        more=containers[1:],
        mode=mode_of(model),
        isolated=bool(model.get("EnableNetworkIsolation")),
        scaling=variant.get("ManagedInstanceScaling"),
        routing=variant.get("RoutingConfig"),
    )


def _model(records: Records, region: str, variant: Mapping[str, Any]) -> Document:
    """Return a variant's model; {} if it hosts inference components."""
    name = variant.get("ModelName")
    return records.stored(MODEL, region, name) if name else {}


def summary(variant: Variant, created: float, rehearsed: Collection[str]) -> Document:
    """Return a variant as DescribeEndpoint shows it.

    `rehearsed` holds the images that a command replaces.
    """
    shown: Document = {"VariantName": variant.name}
    if variant.container is not None:
        shown["DeployedImages"] = [
            {
                "SpecifiedImage": container["Image"],
                "ResolvedImage": running_image(container["Image"], rehearsed),
                "ResolutionTime": created,
            }
            for _, container in variant.containers
        ]
    shown |= {"CurrentWeight": variant.weight, "DesiredWeight": variant.weight}
    if variant.serverless:
        settings = {
            "CurrentServerlessConfig": variant.serverless,
            "DesiredServerlessConfig": variant.serverless,
        }
        return shown | settings
    if variant.scaling is not None:
        shown["ManagedInstanceScaling"] = variant.scaling
    if variant.routing is not None:
        shown["RoutingConfig"] = variant.routing
    return shown | {
        "CurrentInstanceCount": variant.count,
        "DesiredInstanceCount": variant.count,
    }
