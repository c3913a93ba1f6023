"""SageMaker's endpoints: one deployment serves while the next one loads.

States and what they allow follow DescribeEndpoint's EndpointStatus (SageMaker API reference). An
endpoint document holds, besides what Describe shows, `_serving` and `_pending`: deployments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..resources import Document
from ..work import Work
from . import deployments
from .arns import arn
from .deployments import DeploymentError
from .errors import invalid
from .fleet import Fleet
from .sagemaker_records import CONFIG, ENDPOINT, Records

_BUSY = {"Creating", "Updating", "Deleting"}
_LISTED = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")


class Endpoints:
    """The endpoint operations, and the background work they start."""

    def __init__(self, records: Records, loader: Fleet, work: Work) -> None:
        self._records = records
        self._loader = loader
        self._work = work

    def create(self, region: str, body: Document) -> Document:
        """Start creating an endpoint; it is InService once every variant is loaded."""
        _check_deployment_config(body)
        config = self._records.stored(CONFIG, region, body["EndpointConfigName"])
        endpoint: Document = {
            "EndpointConfigName": body["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "LastModifiedTime": self._records.now(),
            "_serving": None,
            "_pending": deployments.make(self._records, region, config),
        }
        name = body["EndpointName"]
        endpoint_arn = self._records.create(ENDPOINT, region, name, endpoint, body.get("Tags", []))
        self._work.start(endpoint_arn, self._bring_up(region, name))
        return {"EndpointArn": endpoint_arn}

    async def _bring_up(self, region: str, name: str) -> None:
        """Load the pending deployment and switch to it, or keep what was there."""
        endpoint = self._records.stored(ENDPOINT, region, name)
        pending, before = endpoint["_pending"], endpoint["_serving"]
        try:
            await self._loader.load(pending)
        except DeploymentError as error:
            status = "InService" if before else "Failed"
            self._settle(region, name, {"EndpointStatus": status, "FailureReason": error.message})
            return
        switched = {
            "EndpointStatus": "InService",
            "EndpointConfigName": pending["config"],
            "_serving": pending,
        }
        self._settle(region, name, switched)
        if before:
            await self._loader.unload(before)

    def _settle(self, region: str, name: str, changes: Mapping[str, Any]) -> None:
        endpoint = self._records.stored(ENDPOINT, region, name)
        endpoint.pop("FailureReason", None)
        endpoint |= {"LastModifiedTime": self._records.now(), "_pending": None, **changes}
        self._records.put(ENDPOINT, region, endpoint)

    def restore(self) -> None:
        """Take up what an earlier process left: load what served, finish what was under way."""
        for key, endpoint in self._records.resources.list(ENDPOINT.table):
            region, _, name = key.partition("/")
            task, status = endpoint["EndpointArn"], endpoint["EndpointStatus"]
            if status == "Deleting":
                self._work.start(task, self._take_down(region, name))
                continue
            if endpoint["_serving"]:
                self._work.start(task, self._reload(region, name))
            if status in _BUSY:
                self._work.start(task, self._bring_up(region, name))

    async def _reload(self, region: str, name: str) -> None:
        endpoint = self._records.stored(ENDPOINT, region, name)
        try:
            await self._loader.load(endpoint["_serving"])
        except DeploymentError as error:
            # Read again: while it loaded, an update or a deletion may have been asked for.
            endpoint = self._records.stored(ENDPOINT, region, name)
            failed = {"FailureReason": error.message, "_serving": None}
            if endpoint["EndpointStatus"] == "InService":
                failed["EndpointStatus"] = "Failed"
            self._records.put(ENDPOINT, region, endpoint | failed)

    def describe(self, region: str, body: Document) -> Document:
        """Return an endpoint with the variants that serve."""
        name = body["EndpointName"]
        endpoint = self._records.stored(ENDPOINT, region, name)
        shown = self._records.get(ENDPOINT, region, name)
        if endpoint["_serving"]:
            shown["ProductionVariants"] = deployments.summaries(endpoint["_serving"])
        if endpoint["_serving"] and endpoint["_pending"]:
            shown["PendingDeploymentSummary"] = _pending_summary(endpoint["_pending"])
        return shown

    def list(self, region: str, body: Document) -> Document:
        """Return a page of endpoints."""
        return self._records.page(ENDPOINT, region, body, _LISTED)

    def update(self, region: str, body: Document) -> Document:
        """Start moving an endpoint to another configuration; the old one serves meanwhile."""
        _check_deployment_config(body)
        endpoint = self._steady(region, body["EndpointName"])
        config = self._records.stored(CONFIG, region, body["EndpointConfigName"])
        pending = deployments.make(self._records, region, config)
        if body.get("RetainAllVariantProperties"):
            _retain(pending, endpoint["_serving"], body)
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
        self._work.start(endpoint["EndpointArn"], self._bring_up(region, name))

    def _steady(self, region: str, name: str) -> Document:
        """Return an endpoint that may be changed; raises AwsError for one that may not."""
        endpoint = self._records.stored(ENDPOINT, region, name)
        if endpoint["EndpointStatus"] in _BUSY:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        if endpoint["EndpointStatus"] == "Failed":
            raise invalid(f'Cannot update failed endpoint "{endpoint["EndpointArn"]}".')
        return endpoint

    def update_weights(self, region: str, body: Document) -> Document:
        """Set weights and instance counts of variants; all of them, or none when one is wrong."""
        endpoint = self._steady(region, body["EndpointName"])
        variants = {variant["name"]: variant for variant in endpoint["_serving"]["variants"]}
        for desired in body["DesiredWeightsAndCapacities"]:
            variant = variants.get(desired["VariantName"])
            if variant is None:
                raise invalid(
                    f'Could not find production variant "{desired["VariantName"]}" of endpoint'
                    f' "{endpoint["EndpointArn"]}".'
                )
            if "ServerlessUpdateConfig" in desired:
                raise invalid("ServerlessUpdateConfig is not available offline.")
            variant["weight"] = desired.get("DesiredWeight", variant["weight"])
            variant["count"] = desired.get("DesiredInstanceCount", variant["count"])
        if not any(variant["weight"] for variant in variants.values()):
            raise invalid("At least one production variant must have a weight above 0.")
        endpoint["LastModifiedTime"] = self._records.now()
        self._records.put(ENDPOINT, region, endpoint)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def delete(self, region: str, body: Document) -> None:
        """Start deleting an endpoint; requests under way end first."""
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
            await self._loader.unload(endpoint["_serving"])
        self._records.delete(ENDPOINT, region, name)

    async def serving(self, region: str, name: str) -> Document | None:
        """Return the deployment that answers for an endpoint, once loaded; None for none."""
        deployment = self._deployment(region, name)
        if deployment is None or self._loader.is_loaded(deployment):
            return deployment
        # After a restart the deployment may still be loading, or turn out not to load.
        await self._work.settled(arn(region, ENDPOINT.arn, name))
        deployment = self._deployment(region, name)
        return deployment if deployment and self._loader.is_loaded(deployment) else None

    def _deployment(self, region: str, name: str) -> Document | None:
        found = self._records.find(ENDPOINT, region, name)
        if found is None or found["EndpointStatus"] == "Deleting":
            return None
        deployment: Document | None = found["_serving"]
        return deployment


def _pending_summary(pending: Mapping[str, Any]) -> Document:
    return {
        "EndpointConfigName": pending["config"],
        "StartTime": pending["created"],
        "ProductionVariants": [
            summary | {"VariantStatus": [{"Status": "Creating"}]}
            for summary in deployments.summaries(pending)
        ],
    }


def _retain(pending: Document, serving: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Carry weights and counts of like-named variants over (RetainAllVariantProperties)."""
    excluded = {
        item["VariantPropertyType"] for item in body.get("ExcludeRetainedVariantProperties", [])
    }
    before = {variant["name"]: variant for variant in serving["variants"]}
    for variant in pending["variants"]:
        old = before.get(variant["name"], variant)
        if "DesiredWeight" not in excluded:
            variant["weight"] = old["weight"]
        if "DesiredInstanceCount" not in excluded:
            variant["count"] = old["count"]


def _check_deployment_config(body: Mapping[str, Any]) -> None:
    """Refuse traffic shifting that is not carried out here: everything but all at once."""
    config = body.get("DeploymentConfig", {})
    routing = config.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
    shifted = routing.get("Type", "ALL_AT_ONCE") != "ALL_AT_ONCE"
    if shifted or "RollingUpdatePolicy" in config or "AutoRollbackConfiguration" in config:
        raise invalid("DeploymentConfig other than ALL_AT_ONCE is not available offline.")
