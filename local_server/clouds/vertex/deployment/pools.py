"""Deployment resource pools: machines that several deployed models share.

Offline every model is loaded by itself; a pool keeps the machines that its models would have, and
the rules on them. Their `patch` is refused by name: which fields of a pool can change is not
documented, and those of its machines are "Immutable". Sources: aiplatform v1,
DeploymentResourcePool and its methods; Vertex AI, "Share resources across deployments" (which
models can share; explanations cannot). The texts are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ....status import Code
from ...google.common.errors import ApiError
from ...latency import Step
from ...resources import Document
from ..images import is_tensorflow_2
from ..listing import Listing
from ..operations import Operations, Outcome, Runner, Task
from ..records import (
    ENDPOINT,
    POOL,
    TYPE,
    Records,
    Version,
    failed_precondition,
    invalid,
)
from ..validation import check_encryption, check_service_account
from .machines import check_dedicated
from .removal import Removal, Removals
from .tasks import Deploy

_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LISTED = Listing("deploymentResourcePools")
_DEPLOYED = Listing("deployedModelRefs")


class _Create(Task, frozen=True, tag="create-pool"):
    name: str
    pool: Document


class _Delete(Removal, frozen=True, tag="delete-pool"):
    """The deletion of a pool."""


class Pools:
    """The methods of `projects.locations.deploymentResourcePools`."""

    def __init__(self, records: Records, operations: Operations) -> None:
        self._records = records
        self._operations = operations
        create = "CreateDeploymentResourcePoolOperationMetadata"
        operations.register(Runner(_Create, create, Step.CREATE_ENDPOINT, self._create))
        self._removals = Removals(
            records,
            operations,
            POOL,
            "DeploymentResourcePool",
            _Delete,
            lambda name: [deployed["id"] for _, deployed in deployed_in(records, name)],
            lambda task: str(task.deployed.get("sharedResources", "")),
        )
        self._removals.register()

    def create(self, parent: str, body: Document) -> Document:
        """Start creating a pool and return the operation."""
        pool, pool_id = body.get("deploymentResourcePool", {}), body.get("deploymentResourcePoolId")
        if not pool_id:
            raise invalid("The field `deployment_resource_pool_id` is required.")
        if not _ID.fullmatch(pool_id):
            raise invalid(
                f'"{pool_id}" is not valid for `deployment_resource_pool_id`: up to 63 of'
                " [a-z0-9-], first a letter, last a letter or digit."
            )
        if not pool.get("dedicatedResources"):
            raise invalid("The field `deployment_resource_pool.dedicated_resources` is required.")
        resources = check_dedicated(pool["dedicatedResources"])
        account = pool.get("serviceAccount", "")
        check_service_account(account, "deployment_resource_pool.service_account")
        check_encryption(pool, parent)
        name = f"{parent}/deploymentResourcePools/{pool_id}"
        self._refuse_taken(name)
        task = _Create(name, pool | {"dedicatedResources": resources})
        return self._operations.begin(name, task, name)

    def _refuse_taken(self, name: str) -> None:
        if self._records.resources.get(POOL, name) is not None:
            raise ApiError(Code.ALREADY_EXISTS, f"DeploymentResourcePool `{name}` already exists.")

    async def _create(self, task: _Create) -> Outcome:
        def finish() -> Mapping[str, Any]:
            self._refuse_taken(task.name)
            pool = task.pool | {"name": task.name, "createTime": self._records.now()}
            self._records.resources.put(POOL, task.name, pool)
            return {"@type": f"{TYPE}DeploymentResourcePool"} | pool

        return Outcome(finish)

    def get(self, name: str) -> Document:
        """Return a pool."""
        return self._records.pool(name)

    def list(self, parent: str, query: Mapping[str, Any]) -> Document:
        """Return a page of a location's pools, by name."""
        stored = self._records.resources.list(POOL, f"{parent}/deploymentResourcePools/")
        return _LISTED.answer(list(stored), query)

    def query(self, name: str, query: Mapping[str, Any]) -> Document:
        """Return a page of the deployed models of a pool, and how many there are in all."""
        self._records.pool(name)
        # A caller may choose the ID of a deployed model: it is unique on its endpoint only.
        found = {
            (endpoint, deployed["id"]): deployed
            for endpoint, deployed in deployed_in(self._records, name)
        }
        refs = [
            (f"{endpoint}/{deployed_id}", {"endpoint": endpoint, "deployedModelId": deployed_id})
            for endpoint, deployed_id in found
        ]
        answer = _DEPLOYED.answer(refs, query)
        page = answer.get("deployedModelRefs", ())
        shown = [found[ref["endpoint"], ref["deployedModelId"]] for ref in page]
        counts = {
            "totalDeployedModelCount": len(found),
            "totalEndpointCount": len({endpoint for endpoint, _ in found}),
        }
        return (
            answer
            | ({"deployedModels": shown} if shown else {})
            | {key: count for key, count in counts.items() if count}
        )

    def delete(self, name: str) -> Document:
        """Start deleting a pool; refused while a model is deployed in it."""
        self._records.pool(name)
        return self._removals.begin(name)


def deployed_in(records: Records, pool: str) -> list[tuple[str, Document]]:
    """Return the deployed models of a pool, each with its endpoint's name."""
    return [
        (name, deployed)
        for name, endpoint in records.resources.list(ENDPOINT)
        for deployed in endpoint.get("deployedModels", ())
        if deployed.get("sharedResources") == pool
    ]


def check_shared(
    records: Records,
    endpoint: Mapping[str, Any],
    fields: Mapping[str, Any],
    version: Version,
    pending: Iterable[Deploy],
) -> None:
    """Refuse a deployment in a pool that cannot have it, beside pending ones (ApiError)."""
    name = fields["sharedResources"]
    pool = records.pool(name)
    if (
        name.partition("/deploymentResourcePools/")[0]
        != endpoint["name"].partition("/endpoints")[0]
    ):
        raise invalid(f"The pool `{name}` is in another project or location than the endpoint.")
    if pool.get("encryptionSpec") != endpoint.get("encryptionSpec"):
        raise invalid("The pool and the endpoint need to have the same encryption_spec.")
    if not is_tensorflow_2(version.image):
        raise invalid(f"'shared_resources' is not supported for Model {version.model}.")
    others = [deployed for _, deployed in deployed_in(records, name)]
    others += [t.deployed for t in pending if t.deployed.get("sharedResources") == name]
    images = {records.deployed_version(other).image for other in others}
    if images - {version.image}:
        raise failed_precondition(
            f"The pool `{name}` runs {', '.join(sorted(images))}: models of another image, such as"
            f" {version.image}, cannot share it."
        )
    if fields.get("explanationSpec"):
        raise invalid("Model explanation is not supported for deployments using shared resources.")
