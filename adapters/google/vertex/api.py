"""The few calls of aiplatform v1 that a release needs, at one regional endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests

from cloudserve.errors import RemoteError
from cloudserve.release.destination import Destination
from cloudserve.release.provider import SplitAnswer

from ..console import endpoint_log
from ..credentials import Access
from ..errors import translated
from ..googleapi import CONNECT_SECONDS, PAGE, READ_SECONDS, RETRIES, GoogleApi, Record
from .container_logs import ContainerLogs
from .deployed_model_metrics import DeployedModelMetrics
from .project_permissions import ProjectPermissions

GOOGLE = ".googleapis.com"
DEPLOYED_MODEL_HEADER = "X-Vertex-AI-Deployed-Model-Id"
"""In the response of rawPredict, as the API's reference documents it."""
_ANSWERED_BY = re.compile(r"deployed_model_id: (\d+)")
OK = 200
OUT_OF_ORDER = frozenset({500, 502, 503, 504})
"""HTTP statuses of a prediction that reached nobody, or broke down there."""


class VertexApi(GoogleApi):
    """aiplatform v1 of one project and region. Models and endpoints go by their short ids."""

    def __init__(
        self,
        project: str,
        region: str,
        endpoint: str,
        access: Access,
        *,
        retries: int = RETRIES,
        others: Mapping[str, str] | None = None,
    ) -> None:
        """Take the URL of Vertex AI, and those of the APIs beside it unless they are Google's."""
        urls = others or {}
        super().__init__("aiplatform", "v1", endpoint, access, retries=retries)
        self.metrics = DeployedModelMetrics(
            urls.get("monitoring", ""), endpoint, project, region, access
        )
        self.logs = ContainerLogs(urls.get("logging", ""), endpoint, project, region, access)
        self.permissions = ProjectPermissions(
            urls.get("cloudresourcemanager", ""), endpoint, project, region, access
        )
        self.project = project
        self._parent = f"projects/{project}/locations/{region}"

    def reached(self) -> Destination:
        """Return the project that predictions reach, or the offline clouds."""
        region = self._parent.rpartition("/")[2]
        return self.destination(self._endpoint, self.project, region)

    def model_name(self, model: str, version: str | None = None) -> str:
        """Return the full name of a model, or of a version by its number or an alias."""
        name = f"{self._parent}/models/{model}"
        return f"{name}@{version}" if version else name

    def endpoint_name(self, endpoint: str) -> str:
        """Return the full name of an endpoint."""
        return f"{self._parent}/endpoints/{endpoint}"

    def url(self, name: str) -> str:
        """Return the URL of a resource by its full name."""
        return f"{self._endpoint}/v1/{name}"

    def versions(self, model: str) -> tuple[Record, ...] | None:
        """Return a model's versions, over all pages, or None for no such model."""
        name = self.model_name(model)
        request = self._models.listVersions(name=name, pageSize=PAGE)
        records: list[Record] = []
        while request is not None:
            answer = self._find(request, "list the versions", self.url(name))
            if answer is None:
                return None
            records += answer.get("models", ())
            request = self._models.listVersions_next(request, answer)
        return tuple(records)

    def endpoint(self, endpoint: str) -> Record | None:
        """Return an endpoint, or None."""
        name = self.endpoint_name(endpoint)
        return self._find(self._endpoints.get(name=name), "read the endpoint", self.url(name))

    def labelled_endpoints(self, key: str, value: str) -> Iterator[Record]:
        """Yield the endpoints with a label, over all pages."""
        words = f'labels.{key}="{value}"'
        what, where = "list the endpoints", self.url(f"{self._parent}/endpoints")
        query = {"parent": self._parent, "filter": words}
        return self._listed(self._endpoints, "endpoints", what, where, **query)

    def upload(self, body: Record) -> Record:
        """Start to upload a model or a version; return the operation."""
        request = self._models.upload(parent=self._parent, body=body)
        where = self.url(f"{self._parent}/models:upload")
        return self._execute(request, "upload the model version", where)

    def merge_aliases(self, model: str, version: str, aliases: list[str]) -> None:
        """Move aliases to a version; those with "-" before them are taken from it."""
        name = self.model_name(model, version)
        request = self._models.mergeVersionAliases(name=name, body={"versionAliases": aliases})
        self._execute(request, "move the aliases", self.url(name))

    def patch_version(self, model: str, version: str, mask: str, body: Record) -> None:
        """Change the masked fields of a version."""
        name = self.model_name(model, version)
        body = {"name": name, **body}
        request = self._models.patch(name=name, updateMask=mask, body=body)
        self._execute(request, "change the model version", self.url(name))

    def delete_version(self, model: str, version: str) -> Record | None:
        """Start to delete a version; return the operation, or None if it does not exist."""
        name = self.model_name(model, version)
        request = self._models.deleteVersion(name=name)
        return self._find(request, "delete the model version", self.url(name))

    def delete_model(self, model: str) -> Record | None:
        """Start to delete a model with its versions; return the operation, None if it is gone."""
        name = self.model_name(model)
        return self._find(self._models.delete(name=name), "delete the model", self.url(name))

    def delete_endpoint(self, endpoint: str) -> Record | None:
        """Start to delete an endpoint; return the operation, or None if it does not exist."""
        name = self.endpoint_name(endpoint)
        request = self._endpoints.delete(name=name)
        return self._find(request, "delete the endpoint", self.url(name))

    def create_endpoint(self, endpoint: str, body: Record) -> Record:
        """Start to create an endpoint of this id; return the operation."""
        request = self._endpoints.create(parent=self._parent, endpointId=endpoint, body=body)
        return self._execute(request, "create the endpoint", self.url(self.endpoint_name(endpoint)))

    def patch_endpoint(self, endpoint: str, mask: str, body: Record) -> None:
        """Change the masked fields of an endpoint."""
        name = self.endpoint_name(endpoint)
        request = self._endpoints.patch(name=name, updateMask=mask, body=body)
        self._execute(request, "change the endpoint", self.url(name))

    def deploy(self, endpoint: str, body: Record) -> Record:
        """Start to deploy a model version on an endpoint; return the operation."""
        return self._on_endpoint("deployModel", "deploy the model", endpoint, body)

    def undeploy(self, endpoint: str, body: Record) -> Record:
        """Start to take a deployment off an endpoint; return the operation."""
        return self._on_endpoint("undeployModel", "undeploy the model", endpoint, body)

    def mutate(self, endpoint: str, body: Record) -> Record:
        """Start to change a deployment's scaling; return the operation."""
        return self._on_endpoint("mutateDeployedModel", "scale the model", endpoint, body)

    def create_job(self, body: Record) -> Record:
        """Start a batch prediction job; return it."""
        request = self._jobs.create(parent=self._parent, body=body)
        where = self.url(f"{self._parent}/batchPredictionJobs")
        return self._execute(request, "create the batch prediction job", where)

    def job(self, name: str) -> Record:
        """Return a batch prediction job by its full name."""
        request = self._jobs.get(name=name)
        return self._execute(request, "read the batch prediction job", self.url(name))

    def operation(self, name: str) -> Record:
        """Return an operation by its full name."""
        request = self._operations(name.rpartition("/operations/")[0]).get(name=name)
        return self._execute(request, "read the operation", self.url(name))

    def operations(self, owner: str) -> Iterator[Record]:
        """Yield the operations of a resource, by its full name; none if it does not exist."""
        collection = self._operations(owner)
        request = collection.list(name=owner, pageSize=PAGE)
        while request is not None:
            answer = self._find(request, "list the operations", self.url(owner)) or {}
            yield from answer.get("operations", ())
            request = collection.list_next(request, answer)

    def raw_predict(
        self, endpoint: str, dns: str, body: bytes, seconds: float = READ_SECONDS
    ) -> tuple[bytes, str]:
        """Return the container's own answer to a prediction, and the DeployedModel that gave it.

        The latter is "" if the response does not say it.

        An endpoint with a host of its own is asked there; a service that is not Google's (the
        offline one) receives that host's name. Raises RemoteError, with the log of the containers
        where those may be the cause.
        """
        url, headers = self.prediction(endpoint, dns)
        try:
            response = self._sent(url, body, headers, seconds)
            answered_by = str(response.headers.get(DEPLOYED_MODEL_HEADER, ""))
            return self._answered(response, url), answered_by
        except RemoteError as error:
            if error.status in OUT_OF_ORDER:
                log = endpoint_log(self.project, endpoint)
                error.hint = f"try again: its machines may be starting, or overloaded; log: {log}"
            raise

    def raw_predict_by_split(self, endpoint: str, dns: str, body: bytes) -> SplitAnswer:
        """Ask the endpoint; the answer's revision is the id of the DeployedModel that gave it.

        The id is "" if the response does not say it: Google documents a header of the response,
        and errors of the service itself have it in their text.
        """
        url, headers = self.prediction(endpoint, dns)
        try:
            response = self._sent(url, body, headers)
        except RemoteError as error:
            return SplitAnswer("", error.message)
        named = _ANSWERED_BY.search(response.text) if response.status_code != OK else None
        answered_by = response.headers.get(DEPLOYED_MODEL_HEADER) or (named[1] if named else "")
        try:
            return SplitAnswer(answered_by, body=self._answered(response, url))
        except RemoteError as error:
            return SplitAnswer(answered_by, error.message)

    def ask_private(self, url: str, body: bytes, seconds: float) -> bytes:
        """Return the answer of an endpoint inside this network: plain HTTP, without a token."""
        headers = {"Content-Type": "application/json"}
        with translated("predict", url):
            response = requests.post(
                url,
                data=body,
                headers=headers,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
            )
        return self._answered(response, url)

    def prediction(self, endpoint: str, dns: str) -> tuple[str, Mapping[str, str]]:
        """Return the URL of predictions, and the headers that name the endpoint's own host."""
        path = f"/v1/{self.endpoint_name(endpoint)}:rawPredict"
        if not dns:
            return f"{self._endpoint}{path}", {}
        if (urlsplit(self._endpoint).hostname or "").endswith(GOOGLE):
            return f"https://{dns}{path}", {}
        return f"{self._endpoint}{path}", {"Host": dns}

    def _on_endpoint(self, method: str, what: str, endpoint: str, body: Record) -> Record:
        name = self.endpoint_name(endpoint)
        request = getattr(self._endpoints, method)(endpoint=name, body=body)
        return self._execute(request, what, self.url(name))

    def _operations(self, owner: str) -> Any:
        """Return the collection that a resource's operations are in."""
        words = owner.split("/")
        kind = words[4] if len(words) > 4 else ""  # noqa: PLR2004 - projects/P/locations/L/KIND
        match kind:
            case "models":
                return self._model_operations
            case "endpoints":
                return self._endpoint_operations
            case _:
                return self._location_operations

    # Kept, because googleapiclient builds a collection in 10 to 30 ms for each access.

    @cached_property
    def _locations(self) -> Any:
        return self._service.projects().locations()

    @cached_property
    def _models(self) -> Any:
        return self._locations.models()

    @cached_property
    def _endpoints(self) -> Any:
        return self._locations.endpoints()

    @cached_property
    def _jobs(self) -> Any:
        return self._locations.batchPredictionJobs()

    @cached_property
    def _location_operations(self) -> Any:
        return self._locations.operations()

    @cached_property
    def _model_operations(self) -> Any:
        return self._models.operations()

    @cached_property
    def _endpoint_operations(self) -> Any:
        return self._endpoints.operations()
