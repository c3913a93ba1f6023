"""The calls that tell what the caller and the endpoint's role may do: IAM, STS, Service Quotas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import translated
from ...session import Access

SERVICE = "sagemaker.amazonaws.com"
_ARN_PARTS = 6


@dataclass(frozen=True, slots=True)
class Need:
    """Actions on resources, all of which a release takes."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    """Their ARNs."""
    context: Mapping[str, str] = field(default_factory=dict)
    """The values of condition keys."""


class Identity:
    """Reads permissions and quotas of an account."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def caller(self) -> str:
        """Return the ARN of the caller, as IAM's policies are attached to it.

        That of an assumed role is the role's, whose path is not in it (IAM user guide, "IAM
        identifiers"); "" for the root user, whose permissions cannot be simulated.
        """
        with translated("find out the caller", self._access.where("sts")):
            arn = str(self._access.client("sts").get_caller_identity()["Arn"])
        parts = arn.split(":", _ARN_PARTS - 1)
        kind, _, rest = parts[-1].partition("/")
        if kind == "assumed-role":
            return f"arn:{parts[1]}:iam::{parts[4]}:role/{rest.split('/')[0]}"
        return arn if kind == "user" else ""

    def denied(self, caller: str, need: Need) -> list[str]:
        """Return the actions that a caller may not do on one of the resources, by a simulation."""
        context = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in need.context.items()
        ]
        arguments = {
            "PolicySourceArn": caller,
            "ActionNames": list(need.actions),
            "ResourceArns": list(need.resources),
            "ContextEntries": context,
        }
        with translated("simulate the caller's policies", self._access.where("iam")):
            pages = self._access.client("iam").get_paginator("simulate_principal_policy")
            results = [
                result
                for page in pages.paginate(**arguments)
                for result in page["EvaluationResults"]
            ]
        denied = [one["EvalActionName"] for one in results if set(_decisions(one)) != {"allowed"}]
        return [action for action in need.actions if action in denied]

    def trusts(self, role_arn: str) -> bool:
        """Return whether a role lets SageMaker assume it."""
        name = role_arn.rpartition("/")[2]
        with translated(f"read the role {name}", self._access.where("iam")):
            role = self._access.client("iam").get_role(RoleName=name)["Role"]
        document = role["AssumeRolePolicyDocument"]
        return any(SERVICE in services for services in _services(document))

    def quota(self, instance_type: str) -> float | None:
        """Return how many instances of a type endpoints may have; None if that is not listed."""
        wanted = f"{instance_type} for endpoint usage"
        with translated("read the quotas", self._access.where("service-quotas")):
            client = self._access.client("service-quotas")
            pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
            for page in pages:
                for quota in page["Quotas"]:
                    if quota["QuotaName"] == wanted:
                        return float(quota["Value"])
        return None


def _decisions(result: Mapping[str, Any]) -> list[str]:
    """Return the decision on each resource, where the answer has them one by one.

    Source: IAM API reference, EvaluationResult: `ResourceSpecificResults`.
    """
    specific = result.get("ResourceSpecificResults", ())
    return [one["EvalResourceDecision"] for one in specific] or [result["EvalDecision"]]


def _services(document: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Yield the services that each allowing statement of a trust policy names."""
    statements = document.get("Statement", [])
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        principal = statement.get("Principal", {})
        if statement.get("Effect") == "Allow" and isinstance(principal, Mapping):
            services = principal.get("Service", [])
            yield [services] if isinstance(services, str) else services
