"""The executor of SageMaker's actions. Each action is idempotent, and waits for its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from cloudserve.errors import ConflictError
from cloudserve.release.traffic import ALL
from cloudserve.storage.events import Reporter

from ....actions import out_of_date
from ....extra_fields import merged
from ..context import AwsContext
from ..fields.endpoint_config import CAPTURE
from ..fields.extra import MODEL, extra_tag
from ..fields.tags import difference
from ..model_files.inference_script import place_code
from ..records import DIGEST, FAILED, Endpoint, Spec, container, source_of, tag_list
from .endpoint_waiter import Watch
from .steps import (
    SCALED,
    AwaitEndpoint,
    CreateEndpoint,
    CreateEndpointConfig,
    CreateModel,
    DeleteEndpoint,
    DeleteEndpointConfig,
    DeleteModel,
    DeregisterScaling,
    EndpointStep,
    RegisterScaling,
    ScalingStep,
    SetTags,
    SetWeights,
    UpdateEndpoint,
)

KEEP_COUNTS: Mapping[str, Any] = {
    "RetainAllVariantProperties": True,
    "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
}
"""Parameters of an update that keeps the endpoint's instance counts, and not its weights."""


class Performer:
    """Performs the actions that every kind of endpoint has."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context

    def perform(self, step: EndpointStep, reporter: Reporter) -> None:
        """Carry out one action."""
        match step:
            case CreateModel():
                self._create_model(step, reporter)
            case DeleteModel():
                self._delete_model(step)
            case CreateEndpointConfig():
                self._create_config(step, reporter)
            case DeleteEndpointConfig():
                self._delete_config(step)
            case CreateEndpoint():
                self._create_endpoint(step, reporter)
            case UpdateEndpoint():
                self._update_endpoint(step, reporter)
            case DeleteEndpoint():
                self._delete_endpoint(step, reporter)
            case SetWeights():
                self._set_weights(step, reporter)
            case AwaitEndpoint():
                self._await(step.endpoint, reporter, variant=step.variant)
            case _:
                assert_never(step)

    def _create_model(self, step: CreateModel, reporter: Reporter) -> None:
        name = step.name
        if step.code:
            place_code(self._aws.blobs, step.code, step.code_target, reporter)
        primary = container(step.image, step.source, step.env, many=step.many)
        fields = merged({"PrimaryContainer": primary, **step.network}, step.extra)
        made = self._aws.api.create(
            f"create the model {name}",
            "create_model",
            ModelName=name,
            ExecutionRoleArn=step.role_arn,
            Tags=self._aws.owned.tags(step.model, step.tags, number=step.number, digest=step.digest)
            + tag_list(extra_tag({MODEL: step.extra}, MODEL)),
            **fields,
        )
        if made:
            return
        record = self._aws.api.model(name)
        if record is None or not self._is_ours(record, step) or source_of(record) != step.source:
            raise self._aws.owned.taken(f"model {name}")
        self._update_tags(step.model, record["ModelArn"], step.tags)
        reporter.line(f"model {name} already exists")

    def _delete_model(self, step: DeleteModel) -> None:
        name = step.name
        record = self._aws.api.model(name)
        if record is None:
            return
        if not self._is_ours(record, step):
            raise self._aws.owned.taken(f"model {name}")
        self._aws.api.delete(f"delete the model {name}", "delete_model", ModelName=name)

    def _is_ours(self, record: Mapping[str, Any], step: CreateModel | DeleteModel) -> bool:
        tags = self._aws.api.tags(record["ModelArn"])
        same = tags.get(DIGEST) == step.digest
        return same and self._aws.owned.is_own(step.model, record, tags)

    def _update_tags(self, model: str, arn: str, expected: Mapping[str, str]) -> None:
        """Give a resource that already exists, and is the target's, the user's tags."""
        changed, removed = difference(self._aws.api.tags(arn), expected)
        if changed or removed:
            self._aws.owned.change_tags(SetTags(model, arn, changed, list(removed)))

    def _create_config(self, step: CreateEndpointConfig, reporter: Reporter) -> None:
        name, more = step.config, step.settings
        made = self._aws.api.create(
            f"create the endpoint configuration {name}",
            "create_endpoint_config",
            EndpointConfigName=name,
            ProductionVariants=step.variants,
            Tags=self._aws.owned.tags(step.model, step.tags) + tag_list(step.marks),
            **more,
        )
        if made:
            return
        shadows = more.get("ShadowProductionVariants", [])
        arn = (self._aws.api.config(name) or {}).get("EndpointConfigArn")
        if (
            not arn
            or self._aws.owned.other_owner(arn) is not None
            or not _same([*step.variants, *shadows], self._aws.api.variants(name))
        ):
            raise self._aws.owned.taken(f"endpoint configuration {name}")
        self._update_tags(step.model, arn, step.tags)
        reporter.line(f"endpoint configuration {name} already exists")

    def _delete_config(self, step: DeleteEndpointConfig) -> None:
        name = step.config
        existing = self._aws.api.config(name)
        if existing is None:
            return
        if not self._aws.owned.owns_config(step.model, existing):
            raise self._aws.owned.taken(f"endpoint configuration {name}")
        what = f"delete the endpoint configuration {name}"
        self._aws.api.delete(what, "delete_endpoint_config", EndpointConfigName=name)

    def _create_endpoint(self, step: CreateEndpoint, reporter: Reporter) -> None:
        name, config, model = step.endpoint, step.config, step.model
        made = self._aws.api.create(
            f"create the endpoint {name}",
            "create_endpoint",
            EndpointName=name,
            EndpointConfigName=config,
            Tags=self._aws.owned.tags(model, step.tags),
        )
        if not made:
            endpoint = self._aws.api.endpoint(name)
            if endpoint is None or endpoint.config != config:
                raise self._aws.owned.taken(f"endpoint {name}")
            self._aws.owned.take(endpoint, model, reporter)
        self._await(name, reporter, config=config, variant=step.variant)

    def _update_endpoint(self, step: UpdateEndpoint, reporter: Reporter) -> None:
        name, config, policy = step.endpoint, step.config, step.policy
        endpoint = self._aws.api.endpoint(name)
        if endpoint is not None:
            self._aws.owned.take(endpoint, step.model, reporter)
        if endpoint is None or config not in {endpoint.config, endpoint.pending}:
            self._check_unchanged(endpoint, step.before)
            self._aws.api.change(
                f"update the endpoint {name}",
                "update_endpoint",
                EndpointName=name,
                EndpointConfigName=config,
                **self._kept(endpoint, config),
                **({"DeploymentConfig": policy} if policy else {}),
            )
        self._await(name, reporter, config=config, variant=step.variant)

    def _check_unchanged(self, endpoint: Endpoint | None, before: str) -> None:
        """Raise ConflictError for an endpoint that was updated since: its variants would be lost.

        SageMaker itself refuses an update while another is under way.
        """
        if endpoint is not None and before and endpoint.config != before:
            message = (
                f"the endpoint {endpoint.name} has the configuration {endpoint.config}, and had"
                f" {before} when it was planned"
            )
            raise out_of_date(message, self._aws.api.where)

    def _kept(self, endpoint: Endpoint | None, config: str) -> Mapping[str, Any]:
        """Return the parameters for what an update keeps of the endpoint.

        Instance counts that autoscaling has changed are kept, unless the new configuration has
        other counts than the present one, or another data capture: of data capture SageMaker does
        not support what the parameters say (API reference, `VariantProperty`).
        """
        content = self._aws.api.config(config) or {}
        present = endpoint.config_record if endpoint else {}
        before, after = _counts(present), _counts(content)
        is_same = all(after.get(name, count) == count for name, count in before.items())
        return KEEP_COUNTS if is_same and present.get(CAPTURE) == content.get(CAPTURE) else {}

    def _delete_endpoint(self, step: DeleteEndpoint, reporter: Reporter) -> None:
        name = step.endpoint
        endpoint = self._aws.api.endpoint(name)
        if endpoint is None:
            return
        self._aws.owned.check(endpoint, step.model)
        if not step.idle and endpoint.status not in {FAILED, "Deleting"}:
            message = f"the endpoint {name} is {endpoint.status}, no longer {FAILED}"
            raise out_of_date(message, self._aws.api.where)
        if endpoint.status != "Deleting":
            self._aws.api.delete(
                f"delete the endpoint {name}", "delete_endpoint", EndpointName=name
            )
        self._aws.poller.until(
            lambda: True if self._aws.api.endpoint(name) is None else None,
            what=f"deleting the endpoint {name}",
            where=self._aws.api.where,
            reporter=reporter,
        )

    def _set_weights(self, step: SetWeights, reporter: Reporter) -> None:
        name, shares = step.endpoint, step.weights
        endpoint = self._aws.api.endpoint(name)
        gone = [variant for variant in shares if endpoint is None or not endpoint.has(variant)]
        if endpoint is None or gone:
            names = ", ".join(gone) or step.revision
            message = f"{names} is not on the endpoint {name} any more"
            raise out_of_date(message, self._aws.api.where)
        self._check_known(endpoint, shares)
        self._aws.owned.take(endpoint, step.model, reporter)
        weights = {
            spec["VariantName"]: shares.get(spec["VariantName"], 0) / ALL
            for spec in endpoint.variants
        }
        if endpoint.weights != weights:
            self._aws.api.change(
                f"move the traffic of the endpoint {name}",
                "update_endpoint_weights_and_capacities",
                EndpointName=name,
                DesiredWeightsAndCapacities=[
                    {"VariantName": variant, "DesiredWeight": weight}
                    for variant, weight in weights.items()
                ],
            )
        self._await(name, reporter, weights=weights)

    def _check_known(self, endpoint: Endpoint, shares: Mapping[str, int]) -> None:
        """Raise ConflictError for a variant with traffic that the plan did not know.

        A plan that gives a revision all traffic names no other variant.
        """
        new = [name for name, share in endpoint.shares.items() if share and name not in shares]
        if new and len(shares) > 1:
            message = (
                f"{', '.join(sorted(new))} of the endpoint {endpoint.name} has traffic, and had"
                " none when it was planned"
            )
            raise out_of_date(message, self._aws.api.where)

    def _await(
        self,
        name: str,
        reporter: Reporter,
        *,
        config: str = "",
        weights: Mapping[str, float] | None = None,
        variant: str = "",
    ) -> None:
        watch = Watch(
            self._aws.api, name, reporter, config=config, weights=weights, variant=variant
        )
        self._aws.poller.until(
            watch.look,
            what=f"the endpoint {name}",
            where=self._aws.api.where,
            reporter=reporter,
            state=lambda: watch.status,
        )


def _same(expected: list[dict[str, Any]], existing: tuple[Spec, ...]) -> bool:
    """Return whether the variants have all the wanted fields; other fields are ignored."""
    by_name = {spec["VariantName"]: spec for spec in existing}
    return len(expected) == len(existing) and all(
        by_name.get(spec["VariantName"], {}).get(key) == value
        for spec in expected
        for key, value in spec.items()
    )


def _counts(config: Mapping[str, Any]) -> dict[str, int]:
    variants = config.get("ProductionVariants", ())
    return {str(spec["VariantName"]): spec.get("InitialInstanceCount", 0) for spec in variants}


class Scaling:
    """Registers and deregisters variants of the target's endpoints."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context

    def perform(self, step: ScalingStep, reporter: Reporter) -> None:
        """Carry out one action; raises ConflictError for another owner's endpoint."""
        name = step.endpoint
        endpoint = self._aws.api.endpoint(name)
        if endpoint is not None:
            self._aws.owned.check(endpoint, step.model)
        match step:
            case DeregisterScaling():
                self._aws.api.scaling.deregister(name, step.variant)
                reporter.line(f"{step.variant} of the endpoint {name} is not scaled any more")
            case RegisterScaling():
                if endpoint is None:
                    raise ConflictError(
                        f"the endpoint {name} does not exist any more",
                        where=self._aws.api.where,
                        hint="run the same command again: the plan is out of date",
                    )
                self._register(step, endpoint.arn)

    def _register(self, step: RegisterScaling, arn: str) -> None:
        # The tag comes first: a later run looks for registered variants only where it is.
        tags = [{"Key": SCALED, "Value": "true"}]
        what = f"tag the endpoint {step.endpoint}"
        self._aws.api.change(what, "add_tags", ResourceArn=arn, Tags=tags)
        limits = (step.minimum, step.maximum)
        self._aws.api.scaling.register(step.endpoint, step.variant, limits, step.policy)
