"""Calls of Application Auto Scaling for the variants of endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from ...errors import code_of, translated
from ...session import Access

NAMESPACE, DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"
POLICY = "cloudserve"
"""The name of the policies that cloudserve writes; it marks a target as registered by it."""
CONFIGURATION = "TargetTrackingScalingPolicyConfiguration"
NOT_FOUND = "ObjectNotFoundException"


@dataclass(frozen=True, slots=True)
class Scaled:
    """A variant that is a scalable target."""

    variant: str
    minimum: int
    maximum: int
    policy: Mapping[str, Any] | None
    """The configuration of cloudserve's policy; None for a target that somebody else registered."""


class ScalingApi:
    """The scalable targets of one AWS account and region."""

    def __init__(self, access: Access) -> None:
        self._access = access

    @property
    def where(self) -> str:
        """Return the URL that calls are sent to, for errors."""
        return self._access.where("application-autoscaling")

    def targets(self, endpoint: str, variants: Iterable[str]) -> dict[str, Scaled]:
        """Read which of an endpoint's variants are scalable targets."""
        names = {f"endpoint/{endpoint}/variant/{variant}": variant for variant in variants}
        if not names:
            return {}
        scaled = self._access.tape.ask(
            f"scaling of {sorted(names)}", lambda: self._targets(endpoint, names)
        )
        return {one["variant"]: Scaled(**one) for one in scaled}

    def _targets(self, endpoint: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
        with translated(f"read the scaling of the endpoint {endpoint}", self.where):
            answer = self._client.describe_scalable_targets(
                ServiceNamespace=NAMESPACE, ResourceIds=list(names), ScalableDimension=DIMENSION
            )
            return [
                {
                    "variant": names[target["ResourceId"]],
                    "minimum": target["MinCapacity"],
                    "maximum": target["MaxCapacity"],
                    "policy": self._policy(target["ResourceId"]),
                }
                for target in answer["ScalableTargets"]
            ]

    def register(
        self, endpoint: str, variant: str, limits: tuple[int, int], policy: Mapping[str, Any]
    ) -> None:
        """Register a variant with its limits and a target tracking policy."""
        resource = _resource(endpoint, variant)
        with translated(f"register {variant} of the endpoint {endpoint} for scaling", self.where):
            minimum, maximum = limits
            self._client.register_scalable_target(
                **resource, MinCapacity=minimum, MaxCapacity=maximum
            )
            self._client.put_scaling_policy(
                **resource,
                PolicyName=POLICY,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=policy,
            )

    def deregister(self, endpoint: str, variant: str) -> None:
        """Deregister a variant with its policies; an unregistered variant is ignored."""
        resource = _resource(endpoint, variant)
        with translated(f"deregister {variant} of the endpoint {endpoint}", self.where):
            try:
                self._client.deregister_scalable_target(**resource)
            except ClientError as error:
                if code_of(error) != NOT_FOUND:
                    raise

    def _policy(self, resource: str) -> Mapping[str, Any] | None:
        answer = self._client.describe_scaling_policies(
            ServiceNamespace=NAMESPACE, ResourceId=resource, PolicyNames=[POLICY]
        )
        policies = answer["ScalingPolicies"]
        return policies[0].get(CONFIGURATION, {}) if policies else None

    @cached_property
    def _client(self) -> Any:
        return self._access.client("application-autoscaling")


def _resource(endpoint: str, variant: str) -> dict[str, str]:
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": DIMENSION,
    }
