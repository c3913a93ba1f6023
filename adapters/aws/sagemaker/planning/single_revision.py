"""The plans of an endpoint with one revision at a time: serverless, asynchronous, or guarded.

SageMaker's deployment guardrails want the same variant names before and after, and serverless
endpoints have one variant (developer guide, "Deployment guardrails", "Serverless Inference"). So
the live revision is the model's endpoint's one variant, and one that is not live yet has a small
endpoint of its own, named as its SageMaker Model: it proves that it loads, and can be asked. A
promotion moves the model's endpoint by the policy, and deletes the small endpoints that it leaves
behind. With `shadow_percent` it is a shadow variant of the model's endpoint instead.
"""

from __future__ import annotations

from cloudserve.errors import ConflictError, UserError
from cloudserve.release.traffic import ALL
from cloudserve.release.types import Action, Deployed, Deployment, Location, Reading, Revision

from ..context import AwsContext
from ..fields.endpoint_config import (
    machines_text,
    policy,
    same_machines,
    same_settings,
    settings,
    shadow,
    variant,
)
from ..records import CHANGING, FAILED, ONLY, Endpoint, Spec, carries
from ..snapshot import Snapshot, TaggedModel, snapshot_of, staging_endpoint
from .actions import (
    Steps,
    await_endpoint,
    create_endpoint,
    delete_failed,
    delete_staging,
    update_endpoint,
)
from .planner import newer


class StagedPlanner:
    """Plans for one target."""

    def __init__(self, context: AwsContext) -> None:
        self._aws = context
        self._steps = Steps(context)

    def deploy(
        self, reading: Reading, revision: Revision, location: Location
    ) -> tuple[Action, ...]:
        """Plan the SageMaker Model and an endpoint with it: the model's, or the revision's own."""
        model, snapshot = reading.deployment.model, snapshot_of(reading)
        main = snapshot.endpoint
        if main is not None and main.status in CHANGING:
            return (self._plan_wait(main, revision.id, model),)
        is_first = main is None or main.status == FAILED
        if is_first or (main is not None and main.serves(revision.id, main.name)):
            endpoint, name = main, self._aws.names.endpoint(model)
        elif self._aws.options.shadow_percent and main is not None and main.staged:
            existing = snapshot.models.get(revision.id)
            return self._plan_shadow(model, revision, location, main, existing)
        else:
            name = self._aws.model_name(model, revision.id)
            endpoint = self._staging(model, revision.id, snapshot)
            if endpoint is not None and endpoint.status in CHANGING:
                return (self._plan_wait(endpoint, revision.id, model),)
        known = endpoint is not None or reading.deployment.find(revision.id) is not None
        existing = snapshot.models.get(revision.id) if known else None
        has_failed = endpoint is not None and endpoint.status == FAILED
        before = [delete_failed(model, endpoint)] if endpoint and has_failed else []
        actions = self._steps.model(model, revision, location, existing)
        stale = bool(actions) or (endpoint is not None and newer(existing, endpoint))
        if before:
            endpoint = None
        return (*before, *actions, *self._plan_endpoint(model, revision.id, endpoint, name, stale))

    def _plan_shadow(
        self,
        model: str,
        revision: Revision,
        location: Location,
        main: Endpoint,
        existing: TaggedModel | None,
    ) -> tuple[Action, ...]:
        """Plan a shadow variant, which gets copies of the live revision's requests."""
        self._check_stays_async(main)
        name = self._aws.model_name(model, revision.id)
        expected = shadow(self._aws.options, revision.id, name)
        actions = self._steps.model(model, revision, location, existing)
        before = next((s for s in main.shadows if s["VariantName"] == revision.id), None)
        if (
            before is not None
            and before["InitialVariantWeight"] == expected["InitialVariantWeight"]
            and same_machines(expected, before)
            and same_settings(settings(self._aws.options), main)
            and self._steps.has_extra(main)
            and not (actions or newer(existing, main))
        ):
            return ()
        shadow_text = (
            f"copies of {self._aws.options.shadow_percent} % of the requests to {revision.id}"
        )
        config = self._steps.config(model, main.variants, shadow_text, (expected,))
        sentence = f"{shadow_text} on {machines_text(expected)}"
        return (*actions, config.action, update_endpoint(config, main, revision.id, sentence))

    def traffic(self, reading: Reading, revision_id: str, percent: int) -> tuple[Action, ...]:
        """Plan to replace the live revision by the target's policy; back to an older one at once.

        Raises UserError for a percentage.
        """
        deployment, main = reading.deployment, snapshot_of(reading).endpoint
        model = deployment.model
        if percent < ALL:
            raise UserError(
                "this endpoint serves one revision at a time",
                where=f"{model} on {self._aws.names.target}",
                hint="promote without --percent: `update: canary` starts with a part of it, "
                "and rolls back when an alarm fires",
            )
        if main is None or main.status == FAILED:
            raise self._aws.not_serving(model)
        after = self._plan_clearing(reading, revision_id)
        if main.status in CHANGING:
            return (self._plan_wait(main, revision_id, model), *after)
        if deployment.traffic.get(revision_id, 0.0) == 1.0:
            return tuple(after)
        forward = is_forward(deployment, revision_id)
        return (*self._plan_update(model, revision_id, main, forward=forward), *after)

    def _plan_clearing(self, reading: Reading, revision_id: str) -> list[Action]:
        """Plan to delete the endpoints of this revision and of older ones: they cost money."""
        deployment, snapshot = reading.deployment, snapshot_of(reading)
        chosen, model = deployment.find(revision_id), deployment.model
        endpoints = [
            self._staging(model, deployed.revision.id, snapshot)
            for deployed in deployment.revisions
            if chosen is not None and _age(deployed) <= _age(chosen)
            if deployment.traffic.get(deployed.revision.id) == 0.0
        ]
        return [delete_staging(model, endpoint) for endpoint in endpoints if endpoint is not None]

    def _staging(self, model: str, revision_id: str, snapshot: Snapshot) -> Endpoint | None:
        name = self._aws.model_name(model, revision_id)
        return staging_endpoint(self._aws.api, snapshot, revision_id, name)

    def _plan_endpoint(
        self, model: str, revision_id: str, endpoint: Endpoint | None, name: str, stale: bool
    ) -> list[Action]:
        """Plan an endpoint for one revision, or its update if it is not as configured."""
        main = name == self._aws.names.endpoint(model)
        expected = self._variant(model, revision_id, idle=not main)
        if endpoint is None:
            config = self._steps.config(
                model, (expected,), f"{revision_id} on {machines_text(expected)}"
            )
            sentence = f"{machines_text(expected)} for {revision_id}"
            return [config.action, create_endpoint(config, name, ONLY, sentence)]
        if not endpoint.staged:  # made before the target was: the next promotion changes it
            return []
        same = same_machines(expected, endpoint.variants[0]) and self._steps.has_extra(endpoint)
        if same and same_settings(settings(self._aws.options), endpoint) and not stale:
            return []
        return self._plan_update(
            model, revision_id, endpoint, forward=main, idle=not main, shadows=endpoint.shadows
        )

    def _plan_update(
        self,
        model: str,
        revision_id: str,
        endpoint: Endpoint,
        *,
        forward: bool,
        idle: bool = False,
        shadows: tuple[Spec, ...] = (),
    ) -> list[Action]:
        self._check_stays_async(endpoint)
        expected = self._variant(model, revision_id, idle=idle)
        config_text = f"{revision_id} on {machines_text(expected)}"
        config = self._steps.config(model, (expected,), config_text, shadows)
        guards = policy(self._aws.options) if forward and endpoint.staged else {}
        how = f", {self._policy_text()}" if guards else ", at once"
        sentence = f"{machines_text(expected)} for {revision_id}{how}"
        return [config.action, update_endpoint(config, endpoint, ONLY, sentence, guards)]

    def _check_stays_async(self, endpoint: Endpoint) -> None:
        """Raise ConflictError where the target would make an asynchronous endpoint a real-time one.

        UpdateEndpoint refuses it (sagemaker-python-sdk#3124).
        """
        if "AsyncInferenceConfig" in endpoint.settings and not self._aws.options.async_output:
            raise ConflictError(
                f"the endpoint {endpoint.name} answers asynchronously, and SageMaker does not "
                "make it a real-time endpoint",
                where=self._aws.api.where,
                hint="set `async_output` again, give the target another `endpoint_name`, or take "
                "the model down first: `cloudserve undeploy … --all`",
            )

    def _variant(self, model: str, revision_id: str, *, idle: bool) -> Spec:
        spec = variant(self._aws.options, ONLY, self._aws.model_name(model, revision_id), idle=idle)
        return {**spec, "InitialVariantWeight": 1.0}

    def _policy_text(self) -> str:
        options = self._aws.options
        alarms = ", ".join(options.alarm_names)
        watched = f", rolled back when {alarms} fires" if alarms else ""
        if options.update.value == "all-at-once":
            return f"all at once{watched}"
        return (
            f"{options.update} by {options.update_percent} % every "
            f"{options.update_wait_seconds} s{watched}"
        )

    def _plan_wait(self, endpoint: Endpoint, revision_id: str, model: str) -> Action:
        now = (*endpoint.variants, *endpoint.shadows)
        coming = self._aws.api.variants(endpoint.pending) if endpoint.pending else now
        if not carries(coming, revision_id, self._aws.names.endpoint(model)) or endpoint.status in {
            "Deleting",
            "RollingBack",
        }:
            raise self._aws.busy(endpoint)
        return await_endpoint(endpoint, ONLY)


def is_forward(deployment: Deployment, revision_id: str) -> bool:
    """Return whether a revision is newer than the live one: only such updates are gradual.

    A rollback is not gradual: the version has served before, and the firing alarm would block it.
    """
    chosen, live = deployment.find(revision_id), deployment.find(deployment.live or "")
    return chosen is None or live is None or _age(chosen) > _age(live)


def _age(deployed: Deployed) -> tuple[int, float]:
    created = deployed.created
    return deployed.revision.number, created.timestamp() if created else 0.0
