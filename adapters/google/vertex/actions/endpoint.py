"""Actions on an endpoint: made, models deployed on it, scaled, given traffic and taken off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from cloudserve.errors import RemoteError
from cloudserve.release.traffic import percents
from cloudserve.storage.events import Reporter

from ....actions import out_of_date
from ...console import endpoint_log
from ..names import Names
from ..operations import NOT_THE_MODELS_FAULT, OperationFailedError, Operations
from ..planning.deployed_models import current, placed_of, split_with_new
from ..records import Endpoint, Version
from ..snapshot import Snapshot, read_snapshot, require_endpoint, require_version
from .steps import (
    CreateEndpoint,
    DeleteEndpoint,
    DeployModel,
    EndpointStep,
    ScaleModel,
    SetTraffic,
    TakeOff,
    UndeployModel,
)
from .version import VersionSteps, is_conflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api import VertexApi


@dataclass(frozen=True, slots=True)
class EndpointSteps:
    """What is done to the endpoint of a model. Each may be done twice: it changes once."""

    api: VertexApi
    operations: Operations
    versions: VersionSteps
    names: Names

    def perform(self, step: EndpointStep, reporter: Reporter) -> None:
        """Carry out one action."""
        match step:
            case CreateEndpoint():
                self.create(step, reporter)
            case DeployModel():
                self.deploy(step, reporter)
            case ScaleModel():
                self.scale(step, reporter)
            case UndeployModel():
                self.undeploy(step, reporter)
            case TakeOff():
                self.take_off(step, reporter)
            case SetTraffic():
                self.set_traffic(step, reporter)
            case DeleteEndpoint():
                self.delete(step.model, reporter)
            case _:
                assert_never(step)

    def create(self, step: CreateEndpoint, reporter: Reporter) -> None:
        """Create the endpoint unless it exists."""
        model = step.model
        endpoint_id = self.names.endpoint(model)
        if self._look(model, reporter).endpoint is not None:
            reporter.line(f"endpoint {endpoint_id} already exists")
            return
        body: dict[str, Any] = {
            "displayName": model,
            "labels": self.names.labels(model, users=step.labels),
            **step.fields,
        }
        if step.dedicated:
            body["dedicatedEndpointEnabled"] = True
        where = self.api.url(self.api.endpoint_name(endpoint_id))
        try:
            operation = self.api.create_endpoint(endpoint_id, body)
            self.operations.finish(operation, "create the endpoint", where, reporter)
        except RemoteError as error:
            # An earlier run's request arrived after all.
            if not is_conflict(error) or self._look(model, reporter).endpoint is None:
                raise

    def deploy(self, step: DeployModel, reporter: Reporter) -> None:
        """Deploy a revision's version, unless it runs as planned; the first gets all traffic."""
        model, revision_id, fields = step.model, step.revision, step.deployed
        endpoint_name = self.api.endpoint_name(self.names.endpoint(model))
        self.operations.settle(endpoint_name, self.api.url(endpoint_name), reporter)
        snapshot = self._look(model, reporter)
        version = require_version(self.api, snapshot, revision_id)
        endpoint = require_endpoint(self.api, snapshot)
        if current(endpoint, version, fields) is not None:
            reporter.line(f"{revision_id}: on the endpoint already")
            return
        name = self.api.model_name(snapshot.model_id, version.number)
        body: dict[str, Any] = {"deployedModel": {**fields, "model": name}}
        split = split_with_new(endpoint, revision_id)
        if split:
            body["trafficSplit"] = split
        self._finish_deployment(body, model, version, reporter)

    def _finish_deployment(
        self, body: Mapping[str, Any], model: str, version: Version, reporter: Reporter
    ) -> None:
        endpoint_id = self.names.endpoint(model)
        where = self.api.url(self.api.endpoint_name(endpoint_id))
        revision_id = version.revision.id
        try:
            operation = self.api.deploy(endpoint_id, body)
            self.operations.finish(operation, f"deploy {revision_id}", where, reporter)
        except OperationFailedError as error:
            error.hint = f"{error.hint}; its log: {endpoint_log(self.api.project, endpoint_id)}"
            name = f"{self.names.model(model)}@{version.number}"
            error.add_note(f"model version {name} stays in the registry")
            if error.code not in NOT_THE_MODELS_FAULT:
                self.versions.mark_failed(model, version, error.message)
            raise

    def scale(self, step: ScaleModel, reporter: Reporter) -> None:
        """Scale a deployment; raises ConflictError if it is another revision's."""
        body = {
            "deployedModel": {
                "id": step.deployment,
                "dedicatedResources": step.scaling,
            },
            "updateMask": ",".join(
                f"dedicatedResources.{name}"
                for name in ("minReplicaCount", "maxReplicaCount", "autoscalingMetricSpecs")
            ),
        }
        snapshot = self._look(step.model, reporter)
        endpoint_id = snapshot.endpoint_id
        where = self.api.url(self.api.endpoint_name(endpoint_id))
        if not placed_of(snapshot, step.revision, step.deployment):
            raise out_of_date(f"{step.deployment} is not a deployment of {step.revision}", where)
        operation = self.api.mutate(endpoint_id, body)
        self.operations.finish(operation, f"scale {step.revision}", where, reporter)

    def undeploy(self, step: UndeployModel, reporter: Reporter) -> None:
        """Undeploy a revision; raises ConflictError for a deployment with traffic."""
        revision_id = step.revision
        snapshot = self._look(step.model, reporter)
        endpoint_id = snapshot.endpoint_id
        where = self.api.url(self.api.endpoint_name(endpoint_id))
        for placed in placed_of(snapshot, revision_id, step.deployment):
            if snapshot.endpoint is not None and snapshot.endpoint.split.get(placed.id):
                raise out_of_date(f"{revision_id} has traffic", where)
            operation = self.api.undeploy(endpoint_id, {"deployedModelId": placed.id})
            self.operations.finish(operation, f"undeploy {revision_id}", where, reporter)

    def take_off(self, step: TakeOff, reporter: Reporter) -> None:
        """Undeploy a deployment, with traffic or without; the others keep their proportions."""
        model, deployment = step.model, step.deployment
        endpoint_id = self.names.endpoint(model)
        name = self.api.endpoint_name(endpoint_id)
        where = self.api.url(name)
        self.operations.settle(name, where, reporter)
        endpoint = read_snapshot(self.api, self.names, model).endpoint
        if endpoint is None or deployment not in {placed.id for placed in endpoint.placed}:
            reporter.line(f"deployment {deployment}: gone already")
            return
        body: dict[str, Any] = {"deployedModelId": deployment}
        others = {key: share for key, share in endpoint.split.items() if key != deployment}
        if endpoint.split.get(deployment) and any(others.values()):
            body["trafficSplit"] = percents(others)
        operation = self.api.undeploy(endpoint_id, body)
        self.operations.finish(operation, f"undeploy {deployment}", where, reporter)

    def delete(self, model: str, reporter: Reporter) -> None:
        """Delete the endpoint if it exists; raises ConflictError if it is another owner's."""
        endpoint_id = self.names.endpoint(model)
        name = self.api.endpoint_name(endpoint_id)
        self.operations.settle(name, self.api.url(name), reporter)
        if read_snapshot(self.api, self.names, model).endpoint is None:
            return
        operation = self.api.delete_endpoint(endpoint_id)
        if operation is not None:
            self.operations.finish(operation, "delete the endpoint", self.api.url(name), reporter)

    def set_traffic(self, step: SetTraffic, reporter: Reporter) -> None:
        """Give revisions their shares.

        Raises ConflictError if somebody changed the traffic after the plan was made, such as during
        a deployment of the same plan, which takes minutes.
        """
        snapshot = self._look(step.model, reporter)
        endpoint = require_endpoint(self.api, snapshot)
        split = {self._deployment(endpoint, name): part for name, part in step.split.items()}
        if {key: share for key, share in endpoint.split.items() if share} == split:
            return
        now = percents(endpoint.shares)
        if step.before is not None and step.before != now:
            raise out_of_date(
                f"the traffic of the endpoint {snapshot.endpoint_id} is {_written(now)} now, and "
                f"was {_written(step.before)} when this was planned",
                self.api.url(endpoint.name),
            )
        body = {"trafficSplit": split, "etag": endpoint.etag}
        self.api.patch_endpoint(snapshot.endpoint_id, "trafficSplit", body)

    def _look(self, model: str, reporter: Reporter) -> Snapshot:
        """Read the endpoint before it is changed; one without an owner gets the target's labels."""
        snapshot = read_snapshot(self.api, self.names, model)
        if snapshot.endpoint is None or snapshot.is_claimed:
            return snapshot
        labels = {**snapshot.endpoint.labels, **self.names.own.tags(model)}
        body = {"labels": labels, "etag": snapshot.endpoint.etag}
        self.api.patch_endpoint(snapshot.endpoint_id, "labels", body)
        reporter.line(
            f"endpoint {snapshot.endpoint_id}: it belongs to {self.names.own.owner} from now on"
        )
        return read_snapshot(self.api, self.names, model)

    def _deployment(self, endpoint: Endpoint, name: str) -> str:
        """Return the id of a revision's deployment, or of a stranger's that has this id."""
        placements = endpoint.placements(name)
        if placements:
            return placements[0].id
        if any(placed.id == name for placed in endpoint.placed):
            return name
        raise out_of_date(f"{name} is not on the endpoint any more", self.api.url(endpoint.name))


def _written(traffic: Mapping[str, int]) -> str:
    shares = ", ".join(f"{percent} % to {name}" for name, percent in sorted(traffic.items()))
    return shares or "none"
