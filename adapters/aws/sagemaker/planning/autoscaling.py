"""The plans that register variants for automatic scaling, and deregister them before an update.

Source: SageMaker developer guide, "Update endpoints that use auto scaling": an update that changes
the instance type of a registered variant, or removes it, fails. So such variants are deregistered
before the update, and what the target wants is registered after it. The tag `cloudserve-scaled`
of the endpoint tells that there are registered variants, so that targets without `autoscaling`
need no permission for Application Auto Scaling.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudserve.errors import ConflictError
from cloudserve.release.types import Action

from ....actions import planned
from ..actions.steps import SCALED, DeregisterScaling, RegisterScaling
from ..context import AwsContext
from ..fields.options import Autoscaling
from ..records import CHANGING, ONLY, REVISION_ID, Endpoint, Spec

if TYPE_CHECKING:
    from ..api.scaling import Scaled

PREDEFINED = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
DELETIONS = {"delete-endpoint", "delete-shared-endpoint"}
BACKLOG = "ApproximateBacklogSizePerInstance"
DEFAULTS = {"DisableScaleIn": False, "ScaleInCooldown": 300, "ScaleOutCooldown": 300}
"""What a policy has that does not say it (Application Auto Scaling user guide, "Define cooldown
periods", for variants of endpoints). The service may show these although nobody gave them.
"""


def policy_of(wanted: Autoscaling, endpoint: str) -> dict[str, Any]:
    """Return a TargetTrackingScalingPolicyConfiguration (Application Auto Scaling API reference).

    The metric of asynchronous endpoints is their backlog per instance (SageMaker developer guide,
    "Autoscale an asynchronous endpoint").
    """
    policy: dict[str, Any] = {}
    if wanted.backlog_per_instance:
        policy["TargetValue"] = wanted.backlog_per_instance
        policy["CustomizedMetricSpecification"] = {
            "MetricName": BACKLOG,
            "Namespace": "AWS/SageMaker",
            "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
            "Statistic": "Average",
        }
    else:
        policy["TargetValue"] = wanted.invocations_per_instance
        policy["PredefinedMetricSpecification"] = PREDEFINED
    if wanted.scale_in_cooldown is not None:
        policy["ScaleInCooldown"] = wanted.scale_in_cooldown
    if wanted.scale_out_cooldown is not None:
        policy["ScaleOutCooldown"] = wanted.scale_out_cooldown
    return policy


def without_defaults(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy without the fields that say what is so without them."""
    return {
        name: value
        for name, value in policy.items()
        if name not in DEFAULTS or value != DEFAULTS[name]
    }


class ScalingPlanner:
    """Adds the scaling of one target's endpoint to its plans."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context

    def around(
        self, model: str, endpoint: Endpoint | None, actions: Sequence[Action]
    ) -> tuple[Action, ...]:
        """Return the actions between deregistrations and registrations of scalable targets.

        Raises ConflictError for a variant that somebody else has registered.
        """
        name = self._aws.names.endpoint(model)
        tags = self._tags(endpoint) if endpoint else {}
        if self._aws.options.autoscaling is None and SCALED not in tags:
            return tuple(actions)
        before = {str(spec["VariantName"]): spec for spec in endpoint.variants} if endpoint else {}
        after = self._variants_after(endpoint, name, actions)
        # An endpoint that is deleted and created again has no registered variants then.
        is_new = bool(after) and _deletes(name, actions)
        existing = {} if is_new else self._aws.api.scaling.targets(name, before)
        ours = {v: scaled for v, scaled in existing.items() if scaled.policy is not None}
        wanted = self._wanted(after)
        replaced = [v for v in existing if _is_replaced(before[v], after.get(v))]
        going = [v for v in ours if v in replaced or v not in wanted]
        if after:  # The deletion of an endpoint deregisters every variant.
            self._check_ours(name, {*replaced, *wanted} & {*existing} - {*ours})
        new = [v for v in wanted if v in going or not self._holds(ours.get(v), name)]
        return (
            *(_deregister(model, name, variant) for variant in sorted(going)),
            *actions,
            *(self._register(model, name, variant) for variant in sorted(new)),
        )

    def _wanted(self, after: Mapping[str, Spec]) -> list[str]:
        """Return the variants to scale: revisions with instances."""
        if self._aws.options.autoscaling is None:
            return []
        return [
            name
            for name, spec in after.items()
            if (name == ONLY or REVISION_ID.fullmatch(name)) and "InstanceType" in spec
        ]

    def _tags(self, endpoint: Endpoint) -> Mapping[str, str]:
        if endpoint.tags is not None:
            return endpoint.tags
        return self._aws.api.existing_tags(endpoint.arn) or {}

    def _variants_after(
        self, endpoint: Endpoint | None, name: str, actions: Sequence[Action]
    ) -> dict[str, Spec]:
        """Return the endpoint's production variants after a plan; {} if it is deleted."""
        specs: Sequence[Spec] = endpoint.variants if endpoint else ()
        if endpoint and endpoint.pending and endpoint.status in CHANGING:
            record = self._aws.api.config(endpoint.pending) or {}
            specs = record.get("ProductionVariants", ())
        configs: dict[str, Sequence[Spec]] = {}
        for action in actions:
            args = action.args
            if action.kind == "create-endpoint-config":
                configs[args["config"]] = args["variants"]
            elif args.get("endpoint") == name and action.kind in DELETIONS:
                specs = ()
            elif args.get("endpoint") == name and args.get("config") in configs:
                specs = configs[args["config"]]
        return {str(spec["VariantName"]): spec for spec in specs}

    def _check_ours(self, endpoint: str, strangers: Collection[str]) -> None:
        if strangers:
            raise ConflictError(
                f"{', '.join(sorted(strangers))} of the endpoint {endpoint} is registered for "
                "scaling, and not by cloudserve",
                where=self._aws.api.scaling.where,
                hint="deregister it with `aws application-autoscaling deregister-scalable-target`",
            )

    def _holds(self, existing: Scaled | None, endpoint: str) -> bool:
        wanted = self._aws.options.autoscaling
        return (
            existing is not None
            and wanted is not None
            and (existing.minimum, existing.maximum) == (wanted.min, wanted.max)
            and without_defaults(existing.policy or {})
            == without_defaults(policy_of(wanted, endpoint))
        )

    def _register(self, model: str, endpoint: str, variant: str) -> Action:
        wanted = self._aws.options.autoscaling
        if wanted is None:
            raise ValueError("a target without `autoscaling` registers nothing")
        policy = policy_of(wanted, endpoint)
        unit = "waiting requests" if wanted.backlog_per_instance else "requests a minute"
        return planned(
            RegisterScaling(model, endpoint, variant, wanted.min, wanted.max, policy),
            f"scale {variant} of the endpoint {endpoint} from {wanted.min} to {wanted.max} "
            f"instances, at {policy['TargetValue']:g} {unit} per instance",
            "deregister it from Application Auto Scaling",
            name=f"register-scaling-{variant}",
        )


def _is_replaced(before: Spec, after: Spec | None) -> bool:
    """Return whether an update removes a variant or changes its instance type."""
    return after is None or before.get("InstanceType") != after.get("InstanceType")


def _deletes(endpoint: str, actions: Sequence[Action]) -> bool:
    kinds = {action.kind for action in actions if action.args.get("endpoint") == endpoint}
    return not DELETIONS.isdisjoint(kinds)


def _deregister(model: str, endpoint: str, variant: str) -> Action:
    return planned(
        DeregisterScaling(model, endpoint, variant),
        f"end the scaling of {variant} of the endpoint {endpoint}",
        name=f"deregister-scaling-{variant}",
    )
