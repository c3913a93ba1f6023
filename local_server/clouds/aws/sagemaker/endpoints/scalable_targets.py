"""The variants of endpoints that Application Auto Scaling scales, and what that forbids.

Source: SageMaker developer guide, "Update endpoints that use auto scaling" (an update that changes
the instance type of such a variant, or removes it, fails) and "Delete endpoints configured for auto
scaling" (their targets are deregistered). The texts are ours. No metrics are collected offline, so
nothing is scaled.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....resources import Document, Resources
from ...protocol.errors import invalid
from .deployments import Variant

TARGET, POLICY = "aws/scalable-target", "aws/scaling-policy"


class ScalableTargets:
    """The stored targets and policies by region and resource id (`endpoint/E/variant/V`)."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def find(self, region: str, resource: str) -> Document | None:
        """Return a target, or None."""
        return self._resources.get(TARGET, f"{region}/{resource}")

    def put(self, region: str, target: Document) -> None:
        """Write a target."""
        self._resources.put(TARGET, f"{region}/{target['ResourceId']}", target)

    def all(self, region: str, prefix: str = "") -> list[Document]:
        """Return the targets of a region whose resource ids begin with a text."""
        return [document for _, document in self._resources.list(TARGET, f"{region}/{prefix}")]

    def policies(self, region: str, resource: str = "") -> list[Document]:
        """Return the policies of a target, or of a region."""
        prefix = f"{region}/{resource}/policy/" if resource else f"{region}/"
        return [document for _, document in self._resources.list(POLICY, prefix)]

    def put_policy(self, region: str, policy: Document) -> None:
        """Write a policy."""
        self._resources.put(POLICY, _policy_key(region, policy), policy)

    def delete_policy(self, region: str, policy: Document) -> bool:
        """Remove a policy; return whether it existed."""
        return self._resources.delete(POLICY, _policy_key(region, policy))

    def delete(self, region: str, resource: str) -> bool:
        """Remove a target with its policies; return whether it existed."""
        with self._resources.transaction():
            for policy in self.policies(region, resource):
                self.delete_policy(region, policy)
            return self._resources.delete(TARGET, f"{region}/{resource}")

    def check_update(
        self, region: str, endpoint: str, before: Sequence[Variant], after: Sequence[Variant]
    ) -> None:
        """Refuse an update that removes a scaled variant, or changes its instance type."""
        instances = {variant.name: variant.instance for variant in after}
        for variant in before:
            if self.find(region, resource_id(endpoint, variant.name)) is None:
                continue
            if variant.name not in instances or instances[variant.name] != variant.instance:
                what = "changed in instance type" if variant.name in instances else "removed"
                raise invalid(
                    f"The variant {variant.name} of endpoint {endpoint} cannot be {what}: it is"
                    " registered as a scalable target with Application Auto Scaling. Deregister it"
                    " before you update the endpoint."
                )

    def is_scaled(self, region: str, endpoint: str) -> bool:
        """Return whether a variant of an endpoint is registered."""
        return bool(self.all(region, resource_id(endpoint, "")))

    def forget(self, region: str, endpoint: str) -> None:
        """Deregister the variants of an endpoint that is deleted."""
        for target in self.all(region, resource_id(endpoint, "")):
            self.delete(region, target["ResourceId"])


def resource_id(endpoint: str, variant: str) -> str:
    """Return the resource id of a variant."""
    return f"endpoint/{endpoint}/variant/{variant}"


def _policy_key(region: str, policy: Document) -> str:
    return f"{region}/{policy['ResourceId']}/policy/{policy['PolicyName']}"
