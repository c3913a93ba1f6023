"""SageMaker endpoints: one deployment serves while the pending one takes over.

States and the operations they permit follow DescribeEndpoint's EndpointStatus (SageMaker API
reference). Besides the fields that Describe shows, an endpoint document holds two deployments,
`_serving` and `_pending`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ...background_tasks import BackgroundTasks
from ...latency import Latency
from ...latency import Step as LatencyStep
from ...resources import Document
from ..cloudwatch_alarms import Alarms
from ..protocol.arns import arn
from ..protocol.errors import invalid
from . import deployments
from .container_pool import ContainerPool
from .deployments import DeploymentError
from .endpoint_configs import check_serverless
from .incompatible_options import check_guarded, check_stays_async
from .records import CONFIG, ENDPOINT, Records
from .rollout import Rollout
from .traffic import read_policy

_BUSY = {"Creating", "Updating", "RollingBack", "Deleting"}
_LISTED = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")


@dataclass(frozen=True, slots=True)
class Routing:
    """An endpoint's serving deployment, and the pending one with its share of the traffic."""

    serving: Document
    pending: Document | None = None
    share: float = 0.0


class Endpoints:
    """The endpoint operations and the background work that they start."""

    def __init__(
        self,
        records: Records,
        pool: ContainerPool,
        alarms: Alarms,
        work: BackgroundTasks,
        rollout: Rollout,
        latency: Latency,
    ) -> None:
        self._records = records
        self._pool = pool
        self._alarms = alarms
        self._work = work
        self._rollout = rollout
        self._latency = latency

    def create(self, region: str, body: Document) -> Document:
        """Start creating an endpoint; it is InService once every variant is loaded."""
        config = self._records.stored(CONFIG, region, body["EndpointConfigName"])
        pending = deployments.make(self._records, region, config)
        policy = body.get("DeploymentConfig")
        self._check_policy(region, policy or {}, pending)
        endpoint: Document = {
            "EndpointConfigName": body["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "LastModifiedTime": self._records.now(),
            "_serving": None,
            "_pending": pending,
            **({"LastDeploymentConfig": policy} if policy else {}),
        }
        name = body["EndpointName"]
        self._check_name_is_free(region, name)
        endpoint_arn = self._records.create(ENDPOINT, region, name, endpoint, body.get("Tags", []))
        self._work.start(endpoint_arn, self._rollout.run(region, name))
        return {"EndpointArn": endpoint_arn}

    def _check_name_is_free(self, region: str, name: str) -> None:
        """Raise AwsError if an endpoint has the name, in whatever case.

        Source: CreateEndpoint.EndpointName: "The name is case-insensitive in CreateEndpoint, but
        the case is preserved and must be matched in InvokeEndpoint."
        """
        for _, endpoint in self._records.resources.list(ENDPOINT.table, f"{region}/"):
            if endpoint["EndpointName"].lower() == name.lower():
                raise invalid(
                    f'Cannot create already existing endpoint "{endpoint["EndpointArn"]}".'
                )

    def _check_policy(
        self, region: str, policy: Mapping[str, Any], current: Mapping[str, Any]
    ) -> None:
        alarms = read_policy(policy, deployments.instances(current)).alarms
        self._alarms.check(region, alarms)

    def restore(self) -> None:
        """Reload the serving deployments after a restart, and resume unfinished work."""
        for key, endpoint in self._records.resources.list(ENDPOINT.table):
            region, _, name = key.partition("/")
            task, status = endpoint["EndpointArn"], endpoint["EndpointStatus"]
            if status == "Deleting":
                self._work.start(task, self._take_down(region, name))
                continue
            if endpoint["_serving"]:
                self._work.start(task, self._reload(region, name))
            if status == "RollingBack":
                self._rollout.abandon_rollback(region, name)
            elif status in _BUSY:
                self._work.start(task, self._rollout.run(region, name))

    async def _reload(self, region: str, name: str) -> None:
        endpoint = self._records.stored(ENDPOINT, region, name)
        try:
            await self._pool.load(endpoint["_serving"])
        except DeploymentError as error:
            # Read again: an update or a deletion may have been requested during the load.
            endpoint = self._records.stored(ENDPOINT, region, name)
            failed = {"FailureReason": error.message, "_serving": None}
            if endpoint["EndpointStatus"] == "InService":
                failed["EndpointStatus"] = "Failed"
            self._records.put(ENDPOINT, region, endpoint | failed)

    def describe(self, region: str, body: Document) -> Document:
        """Return an endpoint with its serving variants."""
        name = body["EndpointName"]
        endpoint = self._records.stored(ENDPOINT, region, name)
        shown = self._records.get(ENDPOINT, region, name)
        if endpoint["_serving"]:
            shown |= _shown_deployment(endpoint["_serving"], self._records.rehearsed)
        if endpoint["_serving"] and endpoint["_pending"]:
            phase = endpoint.get("_phase") or "Creating"
            shown["PendingDeploymentSummary"] = _pending_summary(
                endpoint["_pending"], phase, self._records.rehearsed
            )
        return shown

    def list(self, region: str, body: Document) -> Document:
        """Return a page of endpoints."""
        return self._records.page(ENDPOINT, region, body, _LISTED)

    def update(self, region: str, body: Document) -> Document:
        """Start an update to another configuration; the old one serves until it is complete."""
        endpoint = self._updatable(region, body["EndpointName"])
        config = self._records.stored(CONFIG, region, body["EndpointConfigName"])
        pending = deployments.make(self._records, region, config)
        check_stays_async(endpoint["EndpointName"], endpoint["_serving"], pending)
        if body.get("RetainAllVariantProperties"):
            _retain_properties(pending, endpoint["_serving"], body)
        policy = body.get("DeploymentConfig")
        if policy is None and body.get("RetainDeploymentConfig"):
            policy = endpoint.get("LastDeploymentConfig")
        if policy:
            self._check_policy(region, policy, endpoint["_serving"])
            check_guarded(policy, endpoint["_serving"]["variants"], pending["variants"])
            pending["policy"] = endpoint["LastDeploymentConfig"] = policy
        self._start_update(region, endpoint, pending)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def _start_update(self, region: str, endpoint: Document, pending: Document) -> None:
        endpoint.pop("FailureReason", None)
        endpoint |= {
            "EndpointStatus": "Updating",
            "LastModifiedTime": self._records.now(),
            "_pending": pending,
        }
        self._records.put(ENDPOINT, region, endpoint)
        name = endpoint["EndpointName"]
        self._work.start(endpoint["EndpointArn"], self._rollout.run(region, name))

    def _updatable(self, region: str, name: str) -> Document:
        """Return an endpoint; raises AwsError if its status permits no update."""
        endpoint = self._records.stored(ENDPOINT, region, name)
        if endpoint["EndpointStatus"] in _BUSY:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        if endpoint["EndpointStatus"] == "Failed":
            raise invalid(f'Cannot update failed endpoint "{endpoint["EndpointArn"]}".')
        return endpoint

    def update_weights(self, region: str, body: Document) -> Document:
        """Set weights and instance counts of variants; if one is invalid, change none."""
        endpoint = self._updatable(region, body["EndpointName"])
        variants = {variant["name"]: variant for variant in endpoint["_serving"]["variants"]}
        for desired in body["DesiredWeightsAndCapacities"]:
            variant = variants.get(desired["VariantName"])
            if variant is None:
                raise invalid(
                    f'Could not find production variant "{desired["VariantName"]}" of endpoint'
                    f' "{endpoint["EndpointArn"]}".'
                )
            _set_capacity(variant, desired)
        if not any(variant["weight"] for variant in variants.values()):
            raise invalid("At least one production variant must have a weight above 0.")
        endpoint["LastModifiedTime"] = self._records.now()
        self._records.put(ENDPOINT, region, endpoint)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def delete(self, region: str, body: Document) -> None:
        """Start deleting an endpoint; requests in progress are answered first."""
        name = body["EndpointName"]
        endpoint = self._records.stored(ENDPOINT, region, name)
        if endpoint["EndpointStatus"] in _BUSY:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        endpoint |= {"EndpointStatus": "Deleting", "LastModifiedTime": self._records.now()}
        self._records.put(ENDPOINT, region, endpoint)
        self._work.start(endpoint["EndpointArn"], self._take_down(region, name))

    async def _take_down(self, region: str, name: str) -> None:
        endpoint = self._records.stored(ENDPOINT, region, name)
        if endpoint["_serving"]:
            await self._pool.unload(endpoint["_serving"])
        await self._latency.pass_by(LatencyStep.UNDEPLOY)
        self._records.delete(ENDPOINT, region, name)

    async def routing(self, region: str, name: str) -> Routing | None:
        """Return an endpoint's routing once it is loaded; None if no deployment serves it."""
        routing = self._routing(region, name)
        if routing is None or self._pool.is_loaded(routing.serving):
            return routing
        # After a restart the deployment may still be loading, or fail to load.
        await self._work.settled(arn(region, ENDPOINT.arn, name))
        routing = self._routing(region, name)
        return routing if routing and self._pool.is_loaded(routing.serving) else None

    def _routing(self, region: str, name: str) -> Routing | None:
        endpoint = self._records.find(ENDPOINT, region, name)
        if endpoint is None or endpoint["EndpointStatus"] == "Deleting" or not endpoint["_serving"]:
            return None
        return Routing(endpoint["_serving"], endpoint["_pending"], endpoint.get("_share", 0.0))


def _shown_deployment(deployment: Mapping[str, Any], rehearsed: Collection[str]) -> Document:
    shown: Document = {"ProductionVariants": deployments.summaries(deployment, rehearsed)}
    if deployment.get("shadows"):
        shown["ShadowProductionVariants"] = deployments.summaries(
            deployment, rehearsed, shadows=True
        )
    if "async" in deployment:
        shown["AsyncInferenceConfig"] = deployment["async"]
    if "capture" in deployment:
        capture = deployment["capture"]
        is_on = capture.get("EnableCapture", False)
        shown["DataCaptureConfig"] = {
            "EnableCapture": is_on,
            "CaptureStatus": "Started" if is_on else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    return shown


def _pending_summary(
    pending: Mapping[str, Any], phase: str, rehearsed: Collection[str]
) -> Document:
    status = [{"Status": phase, "StartTime": pending["created"]}]
    return {
        "EndpointConfigName": pending["config"],
        "StartTime": pending["created"],
        "ProductionVariants": [
            summary | {"VariantStatus": status}
            for summary in deployments.summaries(pending, rehearsed)
        ],
    }


def _set_capacity(variant: Document, desired: Mapping[str, Any]) -> None:
    """Apply a DesiredWeightAndCapacity to a variant; raises AwsError."""
    changes = desired.get("ServerlessUpdateConfig")
    if changes is not None:
        if not variant["serverless"]:
            raise invalid(f'Production variant "{variant["name"]}" is not serverless.')
        variant["serverless"] |= changes
        check_serverless(variant["name"], variant["serverless"])
    if "DesiredInstanceCount" in desired and variant["serverless"]:
        raise invalid(f'Production variant "{variant["name"]}" has no instances: it is serverless.')
    variant["weight"] = desired.get("DesiredWeight", variant["weight"])
    variant["count"] = desired.get("DesiredInstanceCount", variant["count"])


def _retain_properties(
    pending: Document, serving: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    """Keep weights, instance counts and data capture (RetainAllVariantProperties)."""
    excluded = {
        item["VariantPropertyType"] for item in body.get("ExcludeRetainedVariantProperties", [])
    }
    current = {variant["name"]: variant for variant in serving["variants"]}
    for variant in pending["variants"]:
        old = current.get(variant["name"], variant)
        if "DesiredWeight" not in excluded:
            variant["weight"] = old["weight"]
        if "DesiredInstanceCount" not in excluded:
            variant["count"] = old["count"]
    if "DataCaptureConfig" not in excluded and "capture" in serving:
        pending["capture"] = serving["capture"]
