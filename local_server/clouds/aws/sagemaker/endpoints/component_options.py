"""Options of endpoints that host inference components, whose variants have no model.

The service's texts are those of users' reports: ManagedInstanceScaling with a model
(terraform-provider-aws#45926), DeleteEndpoint (gruntwork-io/cloud-nuke#1142). It requires an
ExecutionRoleArn (stdapi.ai#43; the text is ours). What the documentation does not say of these
endpoints is refused: several variants, shadow variants, asynchronous inference, data capture,
a DeploymentConfig, a change of what an endpoint hosts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...protocol.errors import invalid
from ..components.placement import NO_ROOM, demands_on, instance_bounds, instance_count
from ..components.table import ComponentTable
from .deployments import Deployment, Variant

_NOT_OFFLINE = ("ShadowProductionVariants", "AsyncInferenceConfig", "DataCaptureConfig")


def check_component_config(body: Mapping[str, Any]) -> None:
    """Raise AwsError for a configuration that mixes models and components, or their options."""
    variants = [*body["ProductionVariants"], *body.get("ShadowProductionVariants", [])]
    empty = [variant for variant in variants if "ModelName" not in variant]
    if not empty:
        _check_models(variants)
        return
    if len(empty) < len(variants):
        raise invalid("Production variants with and without ModelName cannot be mixed.")
    if "ExecutionRoleArn" not in body:
        raise invalid("ExecutionRoleArn is required for production variants without ModelName.")
    if len(body["ProductionVariants"]) > 1:
        raise invalid("Several production variants without ModelName are not available offline.")
    for field in _NOT_OFFLINE:
        if field in body:
            raise invalid(
                f"{field} with a production variant without ModelName is not available offline."
            )
    _check_scaling(empty[0])


def _check_models(variants: Sequence[Mapping[str, Any]]) -> None:
    if any("ManagedInstanceScaling" in variant for variant in variants):
        raise invalid("ManagedInstanceScaling is only supported for inference component endpoints.")


def _check_scaling(variant: Mapping[str, Any]) -> None:
    scaling, count = variant.get("ManagedInstanceScaling", {}), variant["InitialInstanceCount"]
    least, most = scaling.get("MinInstanceCount", 0), scaling.get("MaxInstanceCount", count)
    if not least <= count <= most:
        raise invalid(
            f"InitialInstanceCount of production variant {variant['VariantName']} must be between"
            " MinInstanceCount and MaxInstanceCount."
        )


def check_no_components(table: ComponentTable, region: str, endpoint: str) -> None:
    """Raise AwsError if an endpoint that is to be deleted hosts components."""
    if table.of_endpoint(region, endpoint):
        raise invalid(
            "Cannot delete endpoint with inference component associated. Please delete inference"
            " component and try it again."
        )


def check_same_hosting(before: Deployment, after: Deployment) -> None:
    """Raise AwsError for an update from models to components or back."""
    if before.hosts_components != after.hosts_components:
        raise invalid(
            "An update between models and inference components is not available offline: create"
            " another endpoint."
        )


def check_no_policy(policy: Mapping[str, Any] | None, deployment: Deployment) -> None:
    """Raise AwsError for a DeploymentConfig of an endpoint that hosts components."""
    if policy and deployment.hosts_components:
        raise invalid(
            "DeploymentConfig is not available offline for an endpoint of inference components."
        )


def make_room(table: ComponentTable, region: str, endpoint: str, after: Deployment) -> None:
    """Give an update's variants the instances that the components need; raises AwsError."""
    names = {variant.name for variant in after.variants}
    for component in table.of_endpoint(region, endpoint):
        if component.variant not in names:
            raise invalid(
                f"The variant {component.variant} cannot be removed: it hosts inference component"
                f" {component.name}."
            )
    for variant in after.variants:
        _make_room(table, region, endpoint, variant)


def _make_room(table: ComponentTable, region: str, endpoint: str, variant: Variant) -> None:
    demands = demands_on(table, region, endpoint, variant.name)
    if not demands:
        return
    count = instance_count(variant, demands)
    if count is None:
        raise invalid(NO_ROOM)
    variant.count = max(count, min(variant.count, instance_bounds(variant)[1]))
