"""SageMaker endpoints: one deployment serves while the pending one takes over.

States and the operations they permit follow DescribeEndpoint's EndpointStatus (SageMaker API
reference).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ....background_tasks import BackgroundTasks, Observations
from ....latency import Latency
from ....latency import Step as LatencyStep
from ....resources import Document
from ...cloudwatch_alarms import Alarms
from ...protocol.errors import invalid
from ...quotas import Quotas
from ..components.table import ComponentTable
from ..containers.pool import ContainerPool
from ..records import CONFIG, ENDPOINT, Records
from . import deployments
from .capacities import changed, with_desired
from .component_options import (
    check_no_components,
    check_no_policy,
    check_same_hosting,
    make_room,
)
from .deployments import Deployment, DeploymentError, Variant
from .incompatible_options import check_guardable, check_guarded, check_stays_async
from .rollout import Rollout
from .scalable_targets import ScalableTargets
from .table import BUSY, Endpoint, EndpointTable, Status, endpoint_arn
from .traffic import read_policy

_CAPTURE = "DataCaptureConfig"
_LISTED = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")


@dataclass(frozen=True, slots=True)
class Routing:
    """An endpoint's serving deployment, and the pending one with its share of the traffic."""

    serving: Deployment
    pending: Deployment | None = None
    share: float = 0.0


class Endpoints:
    """The endpoint operations and the background work that they start."""

    def __init__(  # noqa: PLR0913 - each is a part with tests of its own
        self,
        records: Records,
        pool: ContainerPool,
        alarms: Alarms,
        work: BackgroundTasks,
        rollout: Rollout,
        latency: Latency,
        *,
        quotas: Quotas | None = None,
    ) -> None:
        self._records = records
        self._table = EndpointTable(records)
        self._components = ComponentTable(records)
        self._quotas = quotas or Quotas(self._table, {})
        self._scaling = ScalableTargets(records.resources)
        self._pool = pool
        self._alarms = alarms
        self._work = work
        self._rollout = rollout
        self._latency = latency
        self._observed = Observations(latency.clock.sleep)

    def create(self, region: str, body: Document) -> Document:
        """Start creating an endpoint; it is InService once every variant is loaded."""
        config = self._records.stored(CONFIG, region, body["EndpointConfigName"])
        pending = deployments.make(self._records, region, body["EndpointName"], config)
        policy = body.get("DeploymentConfig")
        check_no_policy(policy, pending)
        check_guardable(policy, pending.variants)
        self._check_policy(region, policy or {}, pending)
        now, name = self._records.now(), body["EndpointName"]
        endpoint = Endpoint(
            name=name,
            arn=endpoint_arn(region, name),
            created=now,
            config=body["EndpointConfigName"],
            status=Status.CREATING,
            modified=now,
            policy=policy or None,
            pending=pending,
        )
        self._check_name_is_free(region, name)
        self._quotas.check_new(region, pending)
        self._table.create(region, endpoint, body.get("Tags", []))
        self._work.start(endpoint.arn, self._rollout.run(region, name))
        return {"EndpointArn": endpoint.arn}

    def _check_name_is_free(self, region: str, name: str) -> None:
        """Raise AwsError if an endpoint has the name, in whatever case.

        Source: CreateEndpoint.EndpointName: "The name is case-insensitive in CreateEndpoint, but
        the case is preserved and must be matched in InvokeEndpoint."
        """
        for _, endpoint in self._table.all(region):
            if endpoint.name.lower() == name.lower():
                raise invalid(f'Cannot create already existing endpoint "{endpoint.arn}".')

    def _check_policy(self, region: str, policy: Mapping[str, Any], current: Deployment) -> None:
        self._alarms.check(region, read_policy(policy, current.instances).alarms)

    def restore(self) -> None:
        """Reload the serving deployments after a restart, and resume unfinished work."""
        for region, endpoint in self._table.all():
            name = endpoint.name
            if endpoint.status is Status.DELETING:
                self._work.start(endpoint.arn, self._take_down(region, name))
                continue
            for deployment in filter(None, (endpoint.serving, endpoint.mixed)):
                self._work.start(endpoint.arn, self._reload(region, name, deployment))
            if endpoint.changes:
                self._work.start(endpoint.arn, self._change_weights(region, name))
            elif endpoint.status is Status.ROLLING_BACK:
                self._rollout.abandon_rollback(region, name)
            elif endpoint.status in BUSY:
                self._work.start(endpoint.arn, self._rollout.run(region, name))

    async def _reload(self, region: str, name: str, serving: Deployment) -> None:
        try:
            await self._pool.load(serving)
        except DeploymentError as error:
            # Read again: an update or a deletion may have been requested during the load.
            with self._table.changing(region, name) as endpoint:
                endpoint.failure = error.message
                if endpoint.mixed is not None and endpoint.mixed.id == serving.id:
                    endpoint.mixed, endpoint.share = None, 0.0
                    return
                endpoint.serving = None
                if endpoint.status not in BUSY:
                    endpoint.status = Status.FAILED

    def describe(self, region: str, body: Document) -> Document:
        """Return an endpoint with its serving variants."""
        endpoint = self._table.read(region, body["EndpointName"])
        shown, rehearsed = endpoint.shown(), self._records.rehearsed
        if endpoint.serving:
            shown |= _shown_deployment(endpoint.serving, rehearsed)
        if endpoint.serving and endpoint.changes:
            after = changed(endpoint.serving, endpoint.changes, endpoint.arn)
            wanted = _shown_deployment(after, rehearsed)["ProductionVariants"]
            shown["ProductionVariants"] = with_desired(shown["ProductionVariants"], wanted)
            self._observed.show(endpoint.arn)
        if endpoint.serving and endpoint.pending:
            phase = endpoint.phase or "Creating"
            shown["PendingDeploymentSummary"] = _pending_summary(endpoint.pending, phase, rehearsed)
        return shown

    def list(self, region: str, body: Document) -> Document:
        """Return a page of endpoints."""
        return self._records.page(ENDPOINT, region, body, _LISTED)

    def update(self, region: str, body: Document) -> Document:
        """Start an update to another configuration; the old one serves until it is complete."""
        endpoint, serving = self._updatable(region, body["EndpointName"])
        config = self._records.stored(CONFIG, region, body["EndpointConfigName"])
        pending = deployments.make(self._records, region, body["EndpointName"], config)
        check_stays_async(endpoint.name, serving, pending)
        check_same_hosting(serving, pending)
        check_no_policy(body.get("DeploymentConfig"), pending)
        self._scaling.check_update(region, endpoint.name, serving.variants, pending.variants)
        if body.get("RetainAllVariantProperties"):
            _retain_properties(pending, serving, body)
        if pending.hosts_components:
            make_room(self._components, region, endpoint.name, pending)
        policy = body.get("DeploymentConfig")
        if policy is None and body.get("RetainDeploymentConfig"):
            policy = endpoint.policy
        if policy:
            check_guardable(policy, (*serving.variants, *pending.variants))
            self._check_policy(region, policy, serving)
            check_guarded(policy, serving.variants, pending.variants)
            pending.policy = endpoint.policy = policy
        self._quotas.check_new(region, pending, _largest_share(policy or {}, serving))
        endpoint.failure, endpoint.pending = None, pending
        self._set_status(region, endpoint, Status.UPDATING)
        self._work.start(endpoint.arn, self._rollout.run(region, endpoint.name))
        return {"EndpointArn": endpoint.arn}

    def _set_status(self, region: str, endpoint: Endpoint, status: Status) -> None:
        endpoint.status, endpoint.modified = status, self._records.now()
        self._table.write(region, endpoint)

    def _updatable(self, region: str, name: str) -> tuple[Endpoint, Deployment]:
        """Return an endpoint and its deployment; raises AwsError if it permits no update."""
        endpoint = self._free(region, name)
        if endpoint.status is Status.FAILED or endpoint.serving is None:
            raise invalid(f'Cannot update failed endpoint "{endpoint.arn}".')
        return endpoint, endpoint.serving

    def _free(self, region: str, name: str) -> Endpoint:
        """Return an endpoint; raises AwsError during an update or a deletion."""
        endpoint = self._table.read(region, name)
        if endpoint.status in BUSY:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        return endpoint

    def update_weights(self, region: str, body: Document) -> Document:
        """Start to change weights and instance counts; if one is invalid, change none."""
        endpoint, serving = self._updatable(region, body["EndpointName"])
        if endpoint.mixed is not None:
            raise invalid(
                f'Cannot update the weights of endpoint "{endpoint.arn}" after a failed rollback:'
                " update it to one endpoint configuration first."
            )
        endpoint.changes = body["DesiredWeightsAndCapacities"]
        after = changed(serving, endpoint.changes, endpoint.arn)
        if after.hosts_components:
            make_room(self._components, region, endpoint.name, after)
        self._quotas.check_change(region, serving, after)
        endpoint.failure = None
        self._set_status(region, endpoint, Status.UPDATING)
        self._work.start(endpoint.arn, self._change_weights(region, endpoint.name))
        return {"EndpointArn": endpoint.arn}

    async def _change_weights(self, region: str, name: str) -> None:
        """Change the weights once Describe has shown that the endpoint is Updating.

        A caller that does not look is refused its next change, as by the service, whose changes
        take longer than a call.
        """
        arn = endpoint_arn(region, name)
        if self._latency.is_realistic:
            await self._latency.pass_by(LatencyStep.MUTATE)
        else:
            await self._observed.wait(arn)
        with self._table.changing(region, name) as endpoint:
            if endpoint.serving is not None:
                endpoint.serving = changed(endpoint.serving, endpoint.changes, arn)
            endpoint.status = Status.IN_SERVICE if endpoint.serving else Status.FAILED
            endpoint.changes, endpoint.modified = [], self._records.now()

    def delete(self, region: str, body: Document) -> None:
        """Start deleting an endpoint; requests in progress are answered first."""
        endpoint = self._free(region, body["EndpointName"])
        check_no_components(self._components, region, endpoint.name)
        self._set_status(region, endpoint, Status.DELETING)
        self._work.start(endpoint.arn, self._take_down(region, endpoint.name))

    async def _take_down(self, region: str, name: str) -> None:
        endpoint = self._table.read(region, name)
        for deployment in filter(None, (endpoint.serving, endpoint.mixed)):
            await self._pool.unload(deployment)
        await self._latency.pass_by(LatencyStep.UNDEPLOY)
        self._scaling.forget(region, name)
        self._table.delete(region, name)

    async def routing(self, region: str, name: str) -> Routing | None:
        """Return an endpoint's routing once it is loaded; None if no deployment serves it."""
        routing = self._routing(region, name)
        if routing is None or self._is_loaded(routing):
            return routing
        if self._pool.is_loaded(routing.serving) and self._table.read(region, name).status in BUSY:
            # An interrupted update begins again: its new fleet has no traffic yet.
            return Routing(routing.serving)
        # After a restart the deployment may still be loading, or fail to load.
        await self._work.settled(endpoint_arn(region, name))
        routing = self._routing(region, name)
        return routing if routing and self._is_loaded(routing) else None

    def _is_loaded(self, routing: Routing) -> bool:
        fleets = [routing.serving, *([routing.pending] if routing.pending else [])]
        loaded = [self._pool.is_loaded(fleet) for fleet in fleets]
        return all(loaded) if routing.share else loaded[0]

    def _routing(self, region: str, name: str) -> Routing | None:
        endpoint = self._table.find(region, name)
        if endpoint is None or endpoint.status is Status.DELETING or not endpoint.serving:
            return None
        return Routing(endpoint.serving, endpoint.pending or endpoint.mixed, endpoint.share)


def _shown_deployment(deployment: Deployment, rehearsed: Collection[str]) -> Document:
    def summaries(variants: Iterable[Variant]) -> list[Document]:
        return [deployments.summary(v, deployment.created, rehearsed) for v in variants]

    shown: Document = {"ProductionVariants": summaries(deployment.variants)}
    if deployment.shadows:
        shown["ShadowProductionVariants"] = summaries(deployment.shadows)
    if deployment.asynchronous is not None:
        shown["AsyncInferenceConfig"] = deployment.asynchronous
    if deployment.capture is not None:
        capture = deployment.capture
        is_on = capture.get("EnableCapture", True)
        shown["DataCaptureConfig"] = {
            "EnableCapture": is_on,
            "CaptureStatus": "Started" if is_on else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    return shown


def _pending_summary(pending: Deployment, phase: str, rehearsed: Collection[str]) -> Document:
    status = [{"Status": phase, "StartTime": pending.created}]
    return {
        "EndpointConfigName": pending.config,
        "StartTime": pending.created,
        "ProductionVariants": [
            deployments.summary(variant, pending.created, rehearsed) | {"VariantStatus": status}
            for variant in pending.variants
        ],
    }


def _largest_share(policy: Mapping[str, Any], serving: Deployment) -> float:
    """Return the share of the new fleet that is started at a time."""
    if "RollingUpdatePolicy" not in policy:
        return 1.0
    return read_policy(policy, serving.instances).steps[0].share


def _retain_properties(pending: Deployment, serving: Deployment, body: Mapping[str, Any]) -> None:
    """Keep weights, instance counts and data capture (RetainAllVariantProperties).

    Source: SageMaker API reference, `VariantProperty`: "DataCaptureConfig: (Not currently
    supported.)". It does not say what becomes of data capture, so it is kept, as "all" says.
    """
    excluded = {
        item["VariantPropertyType"] for item in body.get("ExcludeRetainedVariantProperties", [])
    }
    if _CAPTURE in excluded:
        raise invalid(f"The variant property type {_CAPTURE} is not currently supported.")
    current = {variant.name: variant for variant in serving.variants}
    for variant in pending.variants:
        old = current.get(variant.name, variant)
        if "DesiredWeight" not in excluded:
            variant.weight = old.weight
        if "DesiredInstanceCount" not in excluded:
            variant.count = old.count
    if serving.capture is not None:
        pending.capture = serving.capture
