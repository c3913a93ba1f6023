"""Actions on an endpoint: made, models deployed on it, scaled, given traffic and taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.release.provider import Notify

from ..console import endpoint_log
from .operations import NOT_THE_MODELS_FAULT, OperationFailedError, Operations
from .placement import current, split_with_new, to_take_off
from .records import Args, Endpoint, Version, labels_of, resource_id
from .state import OUT_OF_DATE, look, require_endpoint, require_version
from .version_steps import VersionSteps, is_conflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .api import VertexApi


class EndpointSteps:
    """What is done to the endpoint of a model. Each may be done twice: it changes once."""

    def __init__(
        self,
        api: VertexApi,
        operations: Operations,
        versions: VersionSteps,
        labels: Mapping[str, str],
    ) -> None:
        self._api = api
        self._operations = operations
        self._versions = versions
        self._labels = labels

    def create(self, args: Args, notify: Notify) -> None:
        """Make the endpoint, if it is not there."""
        model = str(args["model"])
        endpoint_id = resource_id(model)
        if look(self._api, model).endpoint is not None:
            notify(f"endpoint {endpoint_id}: there already")
            return
        body: dict[str, Any] = {
            "displayName": model,
            "labels": labels_of(model, None, self._labels),
        }
        if args["dedicated"]:
            body["dedicatedEndpointEnabled"] = True
        where = self._api.url(self._api.endpoint_name(endpoint_id))
        try:
            operation = self._api.create_endpoint(endpoint_id, body)
            self._operations.finish(operation, "create the endpoint", where, notify)
        except RemoteError as error:
            # An earlier run's request arrived after all.
            if not is_conflict(error) or look(self._api, model).endpoint is None:
                raise

    def deploy(self, args: Args, notify: Notify) -> None:
        """Deploy a revision's version, unless it runs as wanted; the first gets all traffic."""
        model, revision_id = str(args["model"]), str(args["revision"])
        owner = self._api.endpoint_name(resource_id(model))
        self._operations.settle(owner, self._api.url(owner), notify)
        seen = look(self._api, model)
        version = require_version(self._api, seen, revision_id)
        endpoint = require_endpoint(self._api, seen)
        wanted = msgspec.json.decode(str(args["deployed"]), type=dict[str, Any])
        if current(endpoint, version, wanted) is not None:
            notify(f"{revision_id}: on the endpoint already")
            return
        name = self._api.model_name(seen.model_id, version.number)
        body: dict[str, Any] = {"deployedModel": {**wanted, "model": name}}
        split = split_with_new(endpoint, revision_id)
        if split:
            body["trafficSplit"] = split
        self._finish_deployment(body, model, version, notify)

    def _finish_deployment(
        self, body: Mapping[str, Any], model: str, version: Version, notify: Notify
    ) -> None:
        model_id = resource_id(model)
        where = self._api.url(self._api.endpoint_name(model_id))
        revision_id = version.revision.id
        try:
            operation = self._api.deploy(model_id, body)
            self._operations.finish(operation, f"deploy {revision_id}", where, notify)
        except OperationFailedError as error:
            error.hint = f"{error.hint}; its log: {endpoint_log(self._api.project, model_id)}"
            error.add_note(f"model version {model_id}@{version.number} stays in the registry")
            if error.code not in NOT_THE_MODELS_FAULT:
                self._versions.mark_failed(model, version, error.message)
            raise

    def scale(self, args: Args, notify: Notify) -> None:
        """Change how many machines a deployment has."""
        model = str(args["model"])
        body = {
            "deployedModel": {
                "id": args["deployment"],
                "dedicatedResources": msgspec.json.decode(str(args["scaling"])),
            },
            "updateMask": ",".join(
                f"dedicatedResources.{name}"
                for name in ("minReplicaCount", "maxReplicaCount", "autoscalingMetricSpecs")
            ),
        }
        model_id = resource_id(model)
        where = self._api.url(self._api.endpoint_name(model_id))
        operation = self._api.mutate(model_id, body)
        self._operations.finish(operation, f"scale {args['revision']}", where, notify)

    def undeploy(self, args: Args, notify: Notify) -> None:
        """Take a revision's deployments off; raises ConflictError for one with traffic."""
        model, wanted = str(args["model"]), str(args["revision"])
        seen = look(self._api, model)
        model_id = seen.model_id
        where = self._api.url(self._api.endpoint_name(model_id))
        for placed in to_take_off(seen, wanted, str(args["deployment"])):
            if seen.endpoint is not None and seen.endpoint.split.get(placed.id):
                raise ConflictError(f"{wanted} has traffic", where=where, hint=OUT_OF_DATE)
            operation = self._api.undeploy(model_id, {"deployedModelId": placed.id})
            self._operations.finish(operation, f"undeploy {wanted}", where, notify)

    def set_traffic(self, args: Args) -> None:
        """Give revisions their shares, unless the endpoint was changed since it was read."""
        model = str(args["model"])
        seen = look(self._api, model)
        endpoint = require_endpoint(self._api, seen)
        wanted = msgspec.json.decode(str(args["split"]), type=dict[str, int])
        split = {self._deployment(endpoint, name): percent for name, percent in wanted.items()}
        if {key: share for key, share in endpoint.split.items() if share} == split:
            return
        body = {"trafficSplit": split, "etag": endpoint.etag}
        self._api.patch_endpoint(seen.model_id, "trafficSplit", body)

    def _deployment(self, endpoint: Endpoint, name: str) -> str:
        """Return the id of a revision's deployment, or of a stranger's that has this id."""
        found = endpoint.placements(name)
        if found:
            return found[0].id
        if any(placed.id == name for placed in endpoint.placed):
            return name
        raise ConflictError(
            f"{name} is not on the endpoint any more",
            where=self._api.url(endpoint.name),
            hint=OUT_OF_DATE,
        )
