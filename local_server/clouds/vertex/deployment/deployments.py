"""Deployments: models loaded at endpoints, with machines and a share of traffic."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ....status import Code
from ...background_tasks import BackgroundTasks
from ...google.common.errors import ApiError
from ...latency import Step
from ...model_hosting import ModelHosting, Servable, reason
from ...resources import Document
from ..artifacts import Artifacts, serving_image
from ..explanation.rules import check_signature
from ..images import is_prebuilt, stand_in
from ..operations import Operations, Outcome, Runner
from ..private_endpoints import check_alone
from ..records import (
    ENDPOINT,
    TYPE,
    Records,
    Version,
    failed_precondition,
    invalid,
    new_id,
    not_found,
)
from ..validation import check_deployed_model_id, mask_paths
from .checks import check_deployed_model, explained
from .commands import Commands
from .machines import check_resources, mutate
from .pools import check_shared
from .tasks import Deploy, Mutate, Undeploy
from .traffic import NEW, check_split, with_new

logger = logging.getLogger(__name__)

_STAGES = (
    "STARTING_DEPLOYMENT",
    "PREPARING_MODEL",
    "CREATING_SERVING_CLUSTER",
    "ADDING_NODES_TO_CLUSTER",
    "GETTING_CONTAINER_IMAGE",
    "STARTING_MODEL_SERVER",
    "FINISHING_UP",
    "SUCCESSFULLY_DEPLOYED",
    "FAILED_TO_DEPLOY",
)
"""The stages of a deployment, in DeployModelOperationMetadata.deploymentStage."""


def serving_key(endpoint: str, deployed_id: str) -> str:
    """Return the name under which a deployed model is loaded."""
    return f"{endpoint}/deployedModels/{deployed_id}"


class Deployments:
    """deployModel, undeployModel and mutateDeployedModel."""

    def __init__(
        self,
        records: Records,
        operations: Operations,
        artifacts: Artifacts,
        hosting: ModelHosting,
        work: BackgroundTasks,
        commands: Commands,
    ) -> None:
        self._commands = commands
        self._records = records
        self._operations = operations
        self._artifacts = artifacts
        self._hosting = hosting
        self._work = work
        deploy, undeploy = "DeployModelOperationMetadata", "UndeployModelOperationMetadata"
        mutate = "MutateDeployedModelOperationMetadata"
        operations.register(
            Runner(Deploy, deploy, Step.DEPLOY, self._deploy, _STAGES),
            Runner(Undeploy, undeploy, Step.UNDEPLOY, self._undeploy),
            Runner(Mutate, mutate, Step.MUTATE, self._mutate),
        )

    def restore(self) -> None:
        """Load the models that were deployed when an earlier process ended."""
        for name, endpoint in self._records.resources.list(ENDPOINT):
            for deployed in endpoint.get("deployedModels", ()):
                key = serving_key(name, deployed["id"])
                self._work.start(key, self._reload(key, deployed))

    async def _reload(self, key: str, deployed: Document) -> None:
        try:
            await self._load(key, deployed)
        except ApiError as error:
            # The endpoint then reports UNAVAILABLE, like one that lost its machines.
            logger.warning("%s is deployed, but not loaded: %s", key, error.message)

    def deploy(self, name: str, body: Document) -> Document:
        """Start deploying a model version to an endpoint and return the operation."""
        endpoint = self._records.endpoint(name)
        deployed = self._new(endpoint, body.get("deployedModel", {}))
        split = body.get("trafficSplit", {})
        check_split(split, [*_ids(endpoint), NEW])
        return self._operations.begin(name, Deploy(name, deployed, split), name)

    def _new(self, endpoint: Document, fields: Document) -> Document:
        """Return the DeployedModel as it will be at the endpoint."""
        if not fields.get("model"):
            raise invalid("The field `deployed_model.model` is required.")
        version = self._records.version(fields["model"])
        check_deployed_model(endpoint, fields, version)
        identity = fields.get("id", "")
        if identity:
            check_deployed_model_id(identity)
        taken = [*_ids(endpoint), *self._being_deployed(endpoint["name"])]
        check_alone(endpoint, len(taken))
        if identity in taken:
            raise ApiError(Code.ALREADY_EXISTS, f"DeployedModel `{identity}` already exists.")
        new: Document = {
            **fields,
            "id": identity or new_id(),
            "model": version.model if "@" not in fields["model"] else fields["model"],
            "modelVersionId": version.number,
            "displayName": fields.get("displayName") or version.display_name,
            **check_resources(fields),
            **explained(fields, version),
        }
        if new.get("sharedResources"):
            pending = self._operations.pending(Deploy)
            check_shared(self._records, endpoint, new, version, pending)
        return new

    def _being_deployed(self, endpoint: str) -> list[str]:
        pending = self._operations.pending(Deploy)
        return [task.deployed["id"] for task in pending if task.endpoint == endpoint]

    async def _deploy(self, task: Deploy) -> Outcome:
        key = serving_key(task.endpoint, task.deployed["id"])
        await self._check_explained(task.deployed)
        await self._load(key, task.deployed)

        async def undo() -> None:
            await self._hosting.unload(key)

        return Outcome(lambda: self._add(task), undo)

    async def _check_explained(self, deployed: Mapping[str, Any]) -> None:
        """Refuse a spec of explanations that does not fit the model's files (ApiError)."""
        version = self._records.deployed_version(deployed)
        spec = deployed.get("explanationSpec")
        if spec and version.artifact and is_prebuilt(version.image):
            path = self._artifacts.path(version.artifact)
            await asyncio.to_thread(check_signature, spec, path)

    def _add(self, task: Deploy) -> Document:
        endpoint = self._records.endpoint(task.endpoint)
        if pool := task.deployed.get("sharedResources"):
            self._records.pool(pool)  # it may have been deleted in the meantime
        now = self._records.now()
        deployed = task.deployed | {"createTime": now}
        if text := self._stand_in(deployed):
            deployed["status"] = {"message": text, "lastUpdateTime": now}
        endpoint["deployedModels"] = [*endpoint.get("deployedModels", ()), deployed]
        split = with_new(task.split, deployed["id"])
        if split:
            # Another deployment may have been removed since the request was checked.
            check_split(split, _ids(endpoint))
            endpoint["trafficSplit"] = split
        self._records.put_endpoint(endpoint)
        return {"@type": f"{TYPE}DeployModelResponse", "deployedModel": deployed}

    def _stand_in(self, deployed: Mapping[str, Any]) -> str:
        version = self._records.deployed_version(deployed)
        if self._commands.named(version):
            return (
                f"The image {version.image} is not run offline: a command of this machine answers."
            )
        return stand_in(version.image)

    async def _load(self, key: str, deployed: Mapping[str, Any]) -> None:
        """Load a deployment's model; a failure is reported like a model server that exits."""
        version = self._records.deployed_version(deployed)
        try:
            if self._commands.named(version):
                await self._host(key, deployed, version)
            else:
                await self._load_model(key, deployed, version)
        except ApiError:
            raise
        except Exception as error:
            logger.warning("%s failed to load: %s", key, error)
            endpoint = key.partition("/deployedModels/")[0]
            self._commands.logs.of(endpoint, deployed, "ERROR")(reason(error))
            raise failed_precondition(
                "Model server exited unexpectedly. Model server logs, kept offline:"
                f" {reason(error)}"
            ) from error

    async def _host(self, key: str, deployed: Mapping[str, Any], version: Version) -> None:
        endpoint = key.partition("/deployedModels/")[0]
        start = partial(self._commands.start, endpoint, deployed, version)
        await self._hosting.host(key, start)

    async def _load_model(self, key: str, deployed: Mapping[str, Any], version: Version) -> None:
        artifact = version.artifact
        if artifact is None:
            raise failed_precondition(
                f"Model `{version.key}` has no artifact_uri. A model that exists only"
                " inside its image cannot run offline."
            )

        if text := self._stand_in(deployed):
            logger.warning("%s: %s", key, text)
        image = serving_image(version.image)

        def stage(_: Path) -> list[Servable]:
            return [Servable(key, 1, self._artifacts.saved_model(artifact), image)]

        await self._hosting.load(key, stage)

    def undeploy(self, name: str, body: Document) -> Document:
        """Start undeploying a model and return the operation; refused while it has traffic."""
        endpoint = self._records.endpoint(name)
        deployed_id = body.get("deployedModelId", "")
        _find(endpoint, deployed_id)
        split = body.get("trafficSplit", {})
        _without(endpoint, deployed_id, split)
        return self._operations.begin(name, Undeploy(name, deployed_id, split), name)

    async def _undeploy(self, task: Undeploy) -> Outcome:
        name, deployed_id = task.endpoint, task.id

        def finish() -> Mapping[str, Any]:
            changed = _without(self._records.endpoint(name), deployed_id, task.split)
            self._records.put_endpoint(changed)
            return {"@type": f"{TYPE}UndeployModelResponse"}

        async def after() -> None:
            await self._hosting.unload(serving_key(name, deployed_id))

        return Outcome(finish, after=after)

    def mutate(self, name: str, body: Document) -> Document:
        """Start changing a deployed model's scaling or logging, and return the operation."""
        names = mask_paths(body.get("updateMask"))
        fields = body.get("deployedModel", {})
        deployed = _find(self._records.endpoint(name), fields.get("id", ""))
        mutate(deployed, fields, names)
        return self._operations.begin(name, Mutate(name, fields, names), name)

    async def _mutate(self, task: Mutate) -> Outcome:
        def finish() -> Mapping[str, Any]:
            endpoint, fields = self._records.endpoint(task.endpoint), task.fields
            changed = mutate(_find(endpoint, fields["id"]), fields, task.paths)
            endpoint["deployedModels"] = [
                changed if model["id"] == fields["id"] else model
                for model in endpoint["deployedModels"]
            ]
            self._records.put_endpoint(endpoint)
            return {"@type": f"{TYPE}MutateDeployedModelResponse", "deployedModel": changed}

        return Outcome(finish)


def _ids(endpoint: Mapping[str, Any]) -> list[str]:
    return [deployed["id"] for deployed in endpoint.get("deployedModels", ())]


def _find(endpoint: Mapping[str, Any], deployed_id: str) -> Document:
    if not deployed_id:
        raise invalid("The field `deployed_model_id` is required.")
    for deployed in endpoint.get("deployedModels", ()):
        if deployed["id"] == deployed_id:
            result: Document = deployed
            return result
    raise not_found("DeployedModel", f"{endpoint['name']}/deployedModels/{deployed_id}")


def _without(endpoint: Document, deployed_id: str, split: Mapping[str, int]) -> Document:
    """Return an endpoint without a deployed model; raises ApiError if that has traffic."""
    _find(endpoint, deployed_id)
    ids = _ids(endpoint)
    check_split(split, ids)
    remaining = [model for model in endpoint["deployedModels"] if model["id"] != deployed_id]
    after: Document = {**endpoint, "deployedModels": remaining}
    new_split = dict(split or endpoint.get("trafficSplit", {}))
    if remaining and new_split.pop(deployed_id, 0):
        raise failed_precondition(
            f"DeployedModel `{deployed_id}` has traffic assigned to it in the traffic split; give"
            " its share to others first, or in this call."
        )
    after["trafficSplit"] = new_split if remaining else {}
    for field in ("deployedModels", "trafficSplit"):
        if not after[field]:
            del after[field]
    return after
