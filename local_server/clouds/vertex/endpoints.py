"""Vertex AI's endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...status import Code
from ..google.common.discovery import snake
from ..google.common.errors import ApiError
from ..google.common.etag import check_etag, etag
from ..latency import Step
from ..model_hosting import ModelHosting
from ..resources import Document
from .deployment.deployments import serving_key
from .deployment.removal import Removal, Removals
from .deployment.traffic import check_split
from .listing import BY_NAME_OR_TIME, EQUAL, EQUALITY, MAP, Listing
from .operations import Operations, Outcome, Runner, Task
from .private_endpoints import check_private, refuse_public
from .records import (
    ENDPOINT,
    TYPE,
    Records,
    failed_precondition,
    invalid,
    new_id,
)
from .validation import (
    apply_mask,
    check_connection,
    check_display_name,
    check_encryption,
    check_endpoint_id,
    check_labels,
)

DEDICATED_DOMAIN = ".prediction.vertexai.goog"
_LISTED = Listing(
    "endpoints",
    {"endpoint": EQUALITY, "displayName": EQUALITY, "labels": MAP, "baseModelName": EQUAL},
    BY_NAME_OR_TIME,
)
_PATCHABLE = frozenset(
    {
        "displayName",
        "description",
        "labels",
        "trafficSplit",
        "predictRequestResponseLoggingConfig",
        "clientConnectionConfig",
    }
)
_UPDATABLE = "clientConnectionConfig"
_NOT_OFFLINE = ("enablePrivateServiceConnect", "gdcConfig", "genAiAdvancedFeaturesConfig")


class _Create(Task, frozen=True, tag="create-endpoint"):
    name: str
    endpoint: Document
    uid: str


class _Update(Task, frozen=True, tag="update-endpoint"):
    name: str
    value: Document


class _Delete(Removal, frozen=True, tag="delete-endpoint"):
    """The deletion of an endpoint."""


class Endpoints:
    """The methods of `projects.locations.endpoints`, without deployments and predictions."""

    def __init__(self, records: Records, operations: Operations, hosting: ModelHosting) -> None:
        self._records = records
        self._operations = operations
        self._hosting = hosting
        create, update = "CreateEndpointOperationMetadata", "UpdateEndpointOperationMetadata"
        operations.register(
            Runner(_Create, create, Step.CREATE_ENDPOINT, self._create),
            Runner(_Update, update, Step.MUTATE, self._update),
        )
        self._removals = Removals(
            records,
            operations,
            ENDPOINT,
            "Endpoint",
            _Delete,
            lambda name: [m["id"] for m in records.endpoint(name).get("deployedModels", ())],
            lambda task: task.endpoint,
        )
        self._removals.register()

    def create(self, parent: str, body: Document, endpoint_id: str) -> Document:
        """Start creating an endpoint and return the operation."""
        check_display_name(body, "endpoint")
        check_labels(body)
        if body.get("trafficSplit"):
            check_split(body["trafficSplit"], ())
        for field in _NOT_OFFLINE:
            if body.get(field):
                raise ApiError(Code.UNIMPLEMENTED, f"endpoint.{field} is not available offline.")
        check_private(body)
        check_connection(body)
        check_encryption(body, parent)
        if endpoint_id:
            check_endpoint_id(endpoint_id)
        name = f"{parent}/endpoints/{endpoint_id or new_id()}"
        self._refuse_taken(name)
        return self._operations.begin(name, _Create(name, body, new_id()[:12]), name)

    def _refuse_taken(self, name: str) -> None:
        if self._records.resources.get(ENDPOINT, name) is not None:
            raise ApiError(Code.ALREADY_EXISTS, f"Endpoint `{name}` already exists.")

    async def _create(self, task: _Create) -> Outcome:
        return Outcome(lambda: self._add(task))

    def _add(self, task: _Create) -> Document:
        name, body = task.name, task.endpoint
        self._refuse_taken(name)
        endpoint = {key: value for key, value in body.items() if key != "etag"}
        endpoint |= {"name": name, "createTime": self._records.now()}
        if body.get("dedicatedEndpointEnabled"):
            region, _, short = name.partition("/locations/")[2].partition("/endpoints/")
            endpoint["dedicatedEndpointDns"] = f"{short}.{region}-{task.uid}{DEDICATED_DOMAIN}"
        self._records.put_endpoint(endpoint)
        return {"@type": f"{TYPE}Endpoint"} | self.get(name)

    def get(self, name: str) -> Document:
        """Return an endpoint."""
        return self._shown(self._records.endpoint(name))

    def _shown(self, endpoint: Document) -> Document:
        """Return an endpoint as the API shows it, with the status of its deployments."""
        deployed = [
            model | {"status": self._status(endpoint["name"], model)}
            for model in endpoint.get("deployedModels", ())
        ]
        answer = endpoint | {"etag": etag(endpoint)}
        return answer | ({"deployedModels": deployed} if deployed else {})

    def _status(self, endpoint: str, deployed: Mapping[str, Any]) -> Document:
        if self._hosting.is_loaded(serving_key(endpoint, deployed["id"])):
            pool = deployed.get("sharedResources", "")
            machines = (self._records.pool(pool) if pool else deployed)["dedicatedResources"]
            count = machines["minReplicaCount"]
            return {**deployed.get("status", {}), "availableReplicaCount": count}
        # After a restart of the emulator the model is loading, or cannot be loaded any more.
        return {"availableReplicaCount": 0, "message": "The model server is not ready."}

    def list(self, parent: str, query: Mapping[str, Any]) -> Document:
        """Return a page of a location's endpoints, newest first."""
        stored = self._records.resources.list(ENDPOINT, f"{parent}/endpoints/")
        items = [(name, self._shown(endpoint)) for name, endpoint in stored]
        items.sort(key=lambda item: item[1]["createTime"], reverse=True)
        return _LISTED.answer(items, query)

    def patch(self, name: str, body: Document, mask: str | None) -> Document:
        """Change an endpoint's masked fields: names, labels, traffic."""
        endpoint = self._records.endpoint(name)
        check_etag(endpoint, body.get("etag"))
        changed = apply_mask(endpoint, body, mask, _PATCHABLE)
        check_display_name(changed, "endpoint")
        check_labels(changed)
        check_connection(changed)
        deployed = [model["id"] for model in changed.get("deployedModels", ())]
        check_split(changed.get("trafficSplit", {}), deployed)
        self._records.put_endpoint(changed)
        return self.get(name)

    def update(self, name: str, body: Document) -> Document:
        """Start changing an endpoint's inference timeout; other fields are refused."""
        endpoint, fields = self._records.endpoint(name), body.get("endpoint", {})
        check_etag(endpoint, fields.get("etag"))
        other = sorted(fields.keys() - {"name", "etag", _UPDATABLE})
        if other or not fields.get(_UPDATABLE):
            raise invalid(
                "Only the field `client_connection_config` of an endpoint can be updated so"
                + (f", not `{snake(other[0])}`." if other else "; it is required.")
            )
        check_connection(fields)
        return self._operations.begin(name, _Update(name, fields[_UPDATABLE]), name)

    async def _update(self, task: _Update) -> Outcome:
        def finish() -> Mapping[str, Any]:
            changed = self._records.endpoint(task.name) | {_UPDATABLE: task.value}
            self._records.put_endpoint(changed)
            return {"@type": f"{TYPE}Endpoint"} | self.get(task.name)

        return Outcome(finish)

    def delete(self, name: str) -> Document:
        """Start deleting an endpoint; refused while a model is deployed there."""
        return self._removals.begin(name)


def check_serves(endpoint: Mapping[str, Any], host: str) -> None:
    """Refuse a prediction sent to the wrong host for its endpoint (ApiError)."""
    refuse_public(endpoint)
    dns = endpoint.get("dedicatedEndpointDns", "")
    if dns and host != dns:
        raise failed_precondition(
            "Dedicated Endpoint cannot be accessed through the shared Vertex AI domain"
            " aiplatform.googleapis.com. Please access the endpoint using its dedicated domain"
            f" name '{dns}'"
        )
    if host.endswith(DEDICATED_DOMAIN) and host != dns:
        raise invalid(f"The host {host} is not that of endpoint `{endpoint['name']}`.")
