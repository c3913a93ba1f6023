"""An image of the user's own, run as a command: Vertex AI's contract with a real process."""

from __future__ import annotations

import os

import pytest
import requests

from cloudserve.images.rehearsal import Rehearsal
from tests.local_server.clouds.images import write_server
from tests.local_server.clouds.vertex.conftest import MACHINE

REGISTRY = "us-central1-docker.pkg.dev/p/r"
BODY = {"instances": [[1.0, 2.5]], "parameters": {"top": 3}}


@pytest.fixture(scope="module")
def running(models, new_emulator, tmp_path_factory):
    commands = write_server(tmp_path_factory.mktemp("image"))
    ours: dict[str, Rehearsal] = {
        f"{REGISTRY}/{image.rpartition('/')[2]}": command for image, command in commands.items()
    }
    emulator = new_emulator(None, rehearsals=ours)
    emulator.upload("models", "", models)
    yield emulator
    emulator.stop()


@pytest.fixture
def own(running, connect, fresh):
    """Give Vertex AI in a project that no other test uses."""
    return connect(running.url, fresh)


@pytest.fixture
def deploy(own):
    """Give a function that deploys an image of a mode; it returns the endpoint and the model."""

    def make(mode: str, **spec) -> tuple[str, str]:
        fields = {"imageUri": f"{REGISTRY}/{mode}:1"} | spec
        model = own.upload(containerSpec=fields)
        endpoint = own.create_endpoint()
        return endpoint, own.deploy(endpoint, model["name"], {"0": 100})

    return make


def test_the_command_has_the_containers_contract(own, deploy, running):
    endpoint, deployed = deploy(
        "serves",
        args=["--port=$(AIP_HTTP_PORT)", "--model=$(AIP_STORAGE_URI)"],
        env=[{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}],
        predictRoute="/say",
        healthRoute="/ok",
    )
    status, answer = own.call("POST", f"{endpoint}:predict", json=BODY)
    assert (status, answer["deployedModelId"]) == (200, deployed)
    (observed,) = answer["predictions"]
    environment = observed["environment"]
    assert observed["path"] == "/say"
    assert observed["body"] == '{"instances":[[1,2.5]],"parameters":{"top":3}}'
    assert observed["argv"] == [
        f"--port={environment['AIP_HTTP_PORT']}",
        f"--model={environment['AIP_STORAGE_URI']}",
    ]
    assert (environment["A"], environment["B"], environment["AIP_HEALTH_ROUTE"]) == (
        "1",
        "12",
        "/ok",
    )
    assert (environment["AIP_MODE"], environment["AIP_FRAMEWORK"]) == (
        "PREDICTION",
        "CUSTOM_CONTAINER",
    )
    assert environment["STORAGE_EMULATOR_HOST"] == running.url
    assert environment["HOME"] != os.environ["HOME"]
    assert "saved_model.pb" in observed["files"]
    shown = own.endpoints.get(name=endpoint).execute()["deployedModels"][0]
    assert shown["status"]["message"].endswith("a command of this machine answers.")


def test_routes_have_the_services_defaults(own, deploy):
    endpoint, deployed = deploy("serves")
    (observed,) = own.call("POST", f"{endpoint}:predict", json=BODY)[1]["predictions"]
    identity = endpoint.rpartition("/")[2]
    assert observed["path"] == f"/v1/endpoints/{identity}/deployedModels/{deployed}:predict"


def test_the_services_bucket_is_in_no_list(own, deploy, running):
    endpoint, _ = deploy("serves")
    (observed,) = own.call("POST", f"{endpoint}:predict", json=BODY)[1]["predictions"]
    bucket = observed["environment"]["AIP_STORAGE_URI"].split("/")[2]
    with running.gcs() as client:
        assert bucket not in {item.name for item in client.list_buckets()}


@pytest.mark.parametrize(
    ("said", "status", "message"),
    [
        ("refuse", 400, "no such feature"),
        ("text", 400, "Invalid response from prediction server - the response field predictions"),
        ("die", 503, "was killed by SIGKILL; it last wrote: out of memory"),
    ],
)
def test_the_containers_errors_are_returned(own, deploy, said, status, message):
    endpoint, _ = deploy("serves")
    result, answer = own.call("POST", f"{endpoint}:predict", json={"instances": [said]})
    assert result == status
    assert message in answer["error"]["message"]


@pytest.mark.parametrize("mode", ["missing", "exits"])
def test_a_command_that_does_not_run_fails_the_deployment(own, mode):
    model = own.upload(containerSpec={"imageUri": f"{REGISTRY}/{mode}:1"})
    machine = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
    body = {"deployedModel": {"model": model["name"], "dedicatedResources": machine}}
    endpoint = own.create_endpoint()
    ended = own.finish(own.endpoints.deployModel(endpoint=endpoint, body=body).execute())
    assert ended["error"]["message"].startswith("Model server exited unexpectedly.")
    assert ("no weights found" if mode == "exits" else "FileNotFoundError") in str(ended)


def test_raw_predictions_pass_as_they_are(own, deploy):
    endpoint, _ = deploy("serves")
    status, answer = own.call("POST", f"{endpoint}:rawPredict", data=b"as it is")
    assert (status, answer["predictions"][0]["body"]) == (200, "as it is")


def logged(own, url, endpoint):
    """Return the severity and the message of an endpoint's entries."""
    project, endpoint_id = endpoint.split("/")[1], endpoint.rpartition("/")[2]
    body = {
        "resourceNames": [f"projects/{project}"],
        "filter": f'resource.labels.endpoint_id="{endpoint_id}" jsonPayload.message:"no weights"',
    }
    response = requests.post(f"{url}/v2/entries:list", json=body, timeout=60)
    entries = response.json().get("entries", [])
    return [(entry["severity"], entry["jsonPayload"]["message"]) for entry in entries]


@pytest.mark.parametrize("disabled", [False, True])
def test_the_commands_output_is_in_cloud_logging_unless_disabled(own, running, disabled):
    model = own.upload(containerSpec={"imageUri": f"{REGISTRY}/exits:1"})
    endpoint = own.create_endpoint()
    body = {"model": model["name"], "dedicatedResources": MACHINE}
    operation = own.endpoints.deployModel(
        endpoint=endpoint, body={"deployedModel": body | {"disableContainerLogging": disabled}}
    ).execute()
    assert "error" in own.finish(operation)
    entries = logged(own, running.url, endpoint)
    if disabled:
        assert entries == []
        return
    (output, failure) = entries
    assert output == ("INFO", "no weights found")
    assert failure[0] == "ERROR"
    assert "exit code 3" in failure[1]
