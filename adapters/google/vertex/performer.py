"""Carry out Vertex AI actions and wait for their end. Each may be done twice: it changes once.

Before something is made, what an earlier run left running is waited for, and what is there already
is taken. What fails half way says what of it stays.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from cloudserve.errors import CloudserveError, ConflictError, RemoteError, UserError
from cloudserve.release.nouns import Action, Revision
from cloudserve.release.provider import Notify

from ...polling import Poller
from .machines import holds
from .operations import ALREADY_EXISTS, NOT_THE_MODELS_FAULT, OperationFailedError, Operations
from .records import (
    DEFAULT,
    FAILED,
    LIVE,
    PREVIOUS,
    STATE,
    Endpoint,
    Placed,
    Version,
    description,
    labels_of,
    log_url,
    resource_id,
)
from .state import Seen, look

if TYPE_CHECKING:
    from .api import VertexApi

log = logging.getLogger(__name__)
Args = Mapping[str, str | int | float]
REPLACE = "correct the cause and deploy again: what failed is replaced"
AGAIN = "run the same command again when the cause has passed"
OUT_OF_DATE = "run the same command again: the plan is out of date"


class Performer:
    """Performs the actions that `planner` plans."""

    def __init__(self, api: VertexApi, poller: Poller, labels: Mapping[str, str]) -> None:
        self._api = api
        self._operations = Operations(api, poller)
        self._labels = labels

    def perform(self, action: Action, notify: Notify) -> None:
        """Carry out one action; raises UserError for a kind that is not Vertex AI's."""
        args = action.args
        match action.kind:
            case "create-endpoint":
                self._create_endpoint(args, notify)
            case "upload-version":
                self._upload(args, notify)
            case "delete-version":
                self._delete_version(args, notify)
            case "deploy-model":
                self._deploy(args, notify)
            case "scale-model":
                self._scale(args, notify)
            case "undeploy-model":
                self._undeploy(args, notify)
            case "set-traffic":
                self._set_traffic(args)
            case "set-aliases":
                self._set_aliases(args)
            case kind:
                raise UserError(
                    f"vertex does not know the action `{kind}`", hint="make the plan again"
                )

    def _create_endpoint(self, args: Args, notify: Notify) -> None:
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
            if not _exists(error) or look(self._api, model).endpoint is None:
                raise

    def _upload(self, args: Args, notify: Notify) -> None:
        model = str(args["model"])
        model_id = resource_id(model)
        where = self._api.url(self._api.model_name(model_id))
        self._operations.settle(self._api.model_name(model_id), where, notify)
        seen = look(self._api, model)
        if self._is_uploaded(seen, args, notify):
            return
        body: dict[str, Any] = {"model": self._version_body(args)}
        key, value = ("modelId", model_id)
        if seen.exists:
            key, value = ("parentModel", self._api.model_name(model_id))
        try:
            operation = self._api.upload({key: value, **body})
            self._operations.finish(operation, "upload the model version", where, notify)
        except RemoteError as error:
            if not _exists(error) or not self._is_uploaded(look(self._api, model), args, notify):
                raise

    def _is_uploaded(self, seen: Seen, args: Args, notify: Notify) -> bool:
        there = seen.version(str(args["revision"]))
        if there is None or there.failed or there.container != args["container"]:
            return False
        notify(f"version {there.number} of {seen.model_id}: there already")
        return True

    def _version_body(self, args: Args) -> dict[str, Any]:
        """Return a Model (aiplatform v1) for the arguments of `upload-version`."""
        model = str(args["model"])
        revision = Revision(int(args["number"]), str(args["digest"]))
        return {
            "displayName": model,
            "artifactUri": args["source"],
            "containerSpec": msgspec.json.decode(str(args["spec"])),
            "labels": labels_of(model, revision, self._labels),
            "versionAliases": [revision.id],
            "versionDescription": description(revision, str(args["container"])),
        }

    def _delete_version(self, args: Args, notify: Notify) -> None:
        model_id, number = resource_id(str(args["model"])), str(args["version"])
        current = look(self._api, str(args["model"])).version(str(args["revision"]))
        if current is not None and current.number == number:
            raise ConflictError(
                f"version {number} of {model_id} is {args['revision']} again",
                where=self._api.url(self._api.model_name(model_id, number)),
                hint=OUT_OF_DATE,
            )
        operation = self._api.delete_version(model_id, number)
        if operation is not None:
            where = self._api.url(self._api.model_name(model_id, number))
            self._operations.finish(operation, "delete the model version", where, notify)

    def _deploy(self, args: Args, notify: Notify) -> None:
        model, revision_id = str(args["model"]), str(args["revision"])
        owner = self._api.endpoint_name(resource_id(model))
        self._operations.settle(owner, self._api.url(owner), notify)
        seen = look(self._api, model)
        endpoint, version = self._both(seen, revision_id)
        wanted = msgspec.json.decode(str(args["deployed"]), type=dict[str, Any])
        if _current(endpoint, version, wanted) is not None:
            notify(f"{revision_id}: on the endpoint already")
            return
        name = self._api.model_name(seen.model_id, version.number)
        body: dict[str, Any] = {"deployedModel": {**wanted, "model": name}}
        split = _split_with_new(endpoint, revision_id)
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
            passes = error.code in NOT_THE_MODELS_FAULT
            log_link = log_url(self._api.project, model_id)
            error.hint = f"{AGAIN if passes else REPLACE}; its log: {log_link}"
            error.add_note(f"model version {model_id}@{version.number} stays in the registry")
            if not passes:
                self._mark_failed(model, version, error.message)
            raise

    def _mark_failed(self, model: str, version: Version, reason: str) -> None:
        """Write the failure on the version, so that every later run sees it."""
        revision = version.revision
        labels = {**labels_of(model, revision, self._labels), STATE: FAILED}
        text = description(revision, version.container or "0", reason)
        try:
            self._api.patch_version(
                resource_id(model),
                version.number,
                "labels,versionDescription",
                {"labels": labels, "versionDescription": text},
            )
        except CloudserveError as error:  # the deployment's own failure is the one to tell
            log.warning("version %s is not marked as failed: %s", version.number, error)

    def _scale(self, args: Args, notify: Notify) -> None:
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

    def _undeploy(self, args: Args, notify: Notify) -> None:
        model, wanted = str(args["model"]), str(args["revision"])
        seen = look(self._api, model)
        model_id = seen.model_id
        where = self._api.url(self._api.endpoint_name(model_id))
        for placed in _to_take_off(seen, wanted, str(args["deployment"])):
            if seen.endpoint is not None and seen.endpoint.split.get(placed.id):
                raise ConflictError(f"{wanted} has traffic", where=where, hint=OUT_OF_DATE)
            operation = self._api.undeploy(model_id, {"deployedModelId": placed.id})
            self._operations.finish(operation, f"undeploy {wanted}", where, notify)

    def _set_traffic(self, args: Args) -> None:
        model = str(args["model"])
        seen = look(self._api, model)
        endpoint = self._endpoint(seen)
        wanted = msgspec.json.decode(str(args["split"]), type=dict[str, int])
        split = {self._deployment(endpoint, name): percent for name, percent in wanted.items()}
        if {key: share for key, share in endpoint.split.items() if share} == split:
            return
        body = {"trafficSplit": split, "etag": endpoint.etag}
        self._api.patch_endpoint(seen.model_id, "trafficSplit", body)

    def _set_aliases(self, args: Args) -> None:
        model, revision_id = str(args["model"]), str(args["revision"])
        seen = look(self._api, model)
        _, version = self._both(seen, revision_id)
        before = seen.holder(LIVE)
        if before is not None and before.number != version.number:
            self._api.merge_aliases(seen.model_id, before.number, [PREVIOUS])
        if not {LIVE, DEFAULT} <= version.aliases:
            self._api.merge_aliases(seen.model_id, version.number, [LIVE, DEFAULT])

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

    def _both(self, seen: Seen, revision_id: str) -> tuple[Endpoint, Version]:
        version = seen.version(revision_id)
        if version is None:
            raise ConflictError(
                f"there is no version {revision_id} of {seen.model_id}",
                where=self._api.url(self._api.model_name(seen.model_id)),
                hint=OUT_OF_DATE,
            )
        return self._endpoint(seen), version

    def _endpoint(self, seen: Seen) -> Endpoint:
        if seen.endpoint is not None:
            return seen.endpoint
        raise ConflictError(
            f"there is no endpoint {seen.model_id}",
            where=self._api.url(self._api.endpoint_name(seen.model_id)),
            hint=OUT_OF_DATE,
        )


def _exists(error: RemoteError) -> bool:
    code = error.code if isinstance(error, OperationFailedError) else None
    return error.status == HTTPStatus.CONFLICT or code == ALREADY_EXISTS


def _current(endpoint: Endpoint, version: Version, wanted: Mapping[str, Any]) -> Placed | None:
    """Return the deployment of this very version on the machines that are wanted, if there is."""
    return next(
        (
            placed
            for placed in endpoint.placements(version.revision.id)
            if placed.version == version.number and fits(placed, wanted)
        ),
        None,
    )


def fits(placed: Placed, wanted: Mapping[str, Any]) -> bool:
    """Say whether a deployment runs on the machines, and as the account, that are wanted."""
    there, resources = placed.resources, wanted["dedicatedResources"]
    return (
        holds(there.get("machineSpec", {}), resources["machineSpec"])
        and bool(there.get("spot")) == bool(resources.get("spot"))
        and placed.service_account == wanted.get("serviceAccount", "")
    )


def _split_with_new(endpoint: Endpoint, revision_id: str) -> dict[str, int]:
    """Return the traffic with a new deployment, which is "0": {} leaves it as it is.

    The first one on an endpoint gets all; one that takes an older one's place gets its share.
    """
    if not endpoint.split:
        return {"0": 100}
    olds = {placed.id for placed in endpoint.placements(revision_id)}
    taken = sum(endpoint.split.get(old, 0) for old in olds)
    if not taken:
        return {}
    rest = {key: share for key, share in endpoint.split.items() if key not in olds and share}
    return {**rest, "0": taken}


def _to_take_off(seen: Seen, revision_id: str, deployment: str) -> list[Placed]:
    placed = seen.endpoint.placed if seen.endpoint else ()
    return [p for p in placed if p.revision == revision_id and deployment in {"", p.id}]
