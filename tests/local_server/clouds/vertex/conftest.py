"""Clients of the offline Vertex AI: googleapiclient, Google's own SDK, and plain HTTP."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable

import pytest
import requests

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}


class Vertex:
    """Vertex AI through googleapiclient, in a project of its own."""

    def __init__(self, url: str, project: str, poll: Callable) -> None:
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from googleapiclient.discovery import build

        self.url = url
        self.parent = f"projects/{project}/locations/us-central1"
        self._poll = poll
        self._service = build(
            "aiplatform",
            "v1",
            static_discovery=True,
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=url),
        )
        locations = self._service.projects().locations()
        self.models = locations.models()
        self.endpoints = locations.endpoints()
        self.jobs = locations.batchPredictionJobs()
        self.operations = locations.operations()

    def close(self) -> None:
        self._service.close()

    def operation(self, name: str) -> dict:
        return self.call("GET", name)[1]

    def finish(self, operation: dict) -> dict:
        """Poll an operation until it is done; return it."""
        name = operation["name"]
        return self._poll(lambda: self.operation(name), lambda state: state.get("done", False))

    def done(self, request) -> dict:
        """Execute a request, wait for its operation, and return the response it must have."""
        ended = self.finish(request.execute())
        assert "response" in ended, ended
        return ended["response"]

    def upload(self, uri: str = "gs://models/double/1", parent: str = "", **fields) -> dict:
        """Upload a model or a version of `parent` and return what was made."""
        model = {"displayName": "m", "artifactUri": uri, "containerSpec": {"imageUri": IMAGE}}
        body = {"model": model | fields} | ({"parentModel": parent} if parent else {})
        answer = self.done(self.models.upload(parent=self.parent, body=body))
        version = f"{answer['model']}@{answer['modelVersionId']}"
        return self.models.get(name=version).execute() | {"name": answer["model"]}

    def create_endpoint(self, **fields) -> str:
        body = {"displayName": "e"} | fields
        return self.done(self.endpoints.create(parent=self.parent, body=body))["name"]

    def deploy(self, endpoint: str, model: str, split: dict | None = None, **fields) -> str:
        """Deploy a model and return the ID of the deployment."""
        body = {"deployedModel": {"model": model, "dedicatedResources": MACHINE} | fields}
        body |= {} if split is None else {"trafficSplit": split}
        answer = self.done(self.endpoints.deployModel(endpoint=endpoint, body=body))
        return answer["deployedModel"]["id"]

    def call(self, method: str, path: str, **options) -> tuple[int, dict]:
        """Send a plain HTTP request below /v1/; return its status and its JSON."""
        response = requests.request(method, f"{self.url}/v1/{path}", timeout=60, **options)
        return response.status_code, response.json()


@pytest.fixture(scope="session")
def vertex_service(clouds, poll_until):
    """Give one client for all tests: building it reads a document of two megabytes."""
    client = Vertex(clouds.url, "p", poll_until)
    yield client
    client.close()


@pytest.fixture
def vertex(vertex_service, fresh):
    """Give Vertex AI in a project that no other test uses."""
    vertex_service.parent = f"projects/{fresh}/locations/us-central1"
    return vertex_service


@pytest.fixture
def connect(poll_until):
    """Give a function that makes clients of other emulators; they are closed at the end."""
    clients: list[Vertex] = []

    def make(url: str, project: str = "p") -> Vertex:
        clients.append(Vertex(url, project, poll_until))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def refused():
    """Give a function that executes a request that must fail; returns status, code, message."""

    def execute(request) -> tuple[int, str, str]:
        from googleapiclient.errors import HttpError

        with pytest.raises(HttpError) as caught:
            request.execute()
        error = json.loads(caught.value.content)["error"]
        assert error["code"] == caught.value.resp.status
        return error["code"], error["status"], error["message"]

    return execute


@pytest.fixture(scope="session")
def aiplatform():
    """Give the official SDK's module."""
    with warnings.catch_warnings():
        # Its own deprecations of what it imports.
        warnings.simplefilter("ignore")
        from google.cloud import aiplatform
    return aiplatform


@pytest.fixture
def sdk(aiplatform, clouds, fresh):
    """Give the official SDK pointed at the emulator, in a project of its own."""
    from google.auth.credentials import AnonymousCredentials

    aiplatform.init(
        project=fresh,
        location="us-central1",
        credentials=AnonymousCredentials(),
        api_endpoint=clouds.url,
        api_transport="rest",
    )
    return aiplatform
