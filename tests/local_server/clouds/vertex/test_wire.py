"""The wire as Google's clients speak it (recorded from gapic over REST and googleapiclient)."""

from __future__ import annotations

import json
import re

import pytest
import requests

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
TYPE = "type.googleapis.com/google.cloud.aiplatform.v1."
GAPIC = "%24alt=json%3Benum-encoding%3Dint"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}


class Gapic:
    """Requests as google-api-core's REST transport sends them."""

    def __init__(self, url: str, parent: str, poll) -> None:
        self.url = url
        self.parent = parent
        self._poll = poll

    def send(self, method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
        mark = "&" if "?" in path else "?"
        response = requests.request(
            method,
            f"{self.url}/v1/{path}{mark}{GAPIC}",
            # Pretty-printed, as MessageToJson does.
            data=None if body is None else json.dumps(body, indent=2),
            headers={
                "Content-Type": "application/json",
                "x-goog-request-params": f"parent={self.parent}",
            },
            timeout=60,
        )
        assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
        return response.status_code, response.json()

    def done(self, operation: dict) -> dict:
        """Poll below /ui/ as gapic's operations client does."""
        url = f"{self.url}/ui/{operation['name']}?{GAPIC}"
        return self._poll(
            lambda: requests.get(url, timeout=60).json(), lambda state: state.get("done", False)
        )


@pytest.fixture
def gapic(clouds, fresh, poll_until):
    return Gapic(clouds.url, f"projects/{fresh}/locations/us-central1", poll_until)


@pytest.fixture
def upload(gapic):
    """Give a function that uploads a model as recorded and returns its finished operation."""

    def send(uri: str = "gs://models/double/1", parent: str = "", **fields) -> dict:
        model = {"displayName": "m", "containerSpec": {"imageUri": IMAGE}, "artifactUri": uri}
        body = {"model": model | fields} | ({"parentModel": parent} if parent else {})
        status, operation = gapic.send("POST", f"{gapic.parent}/models:upload", body)
        assert status == 200
        assert re.fullmatch(rf"{gapic.parent}/models/[0-9]+/operations/[0-9]+", operation["name"])
        metadata = operation["metadata"]
        assert metadata["@type"] == f"{TYPE}UploadModelOperationMetadata"
        assert TIME.fullmatch(metadata["genericMetadata"]["createTime"])
        return gapic.done(operation)

    return send


def test_an_upload_answers_the_model_and_its_version(gapic, upload):
    first = upload()["response"]
    assert first["@type"] == f"{TYPE}UploadModelResponse"
    assert first["modelVersionId"] == "1"
    second = upload(parent=first["model"], versionAliases=["canary"])["response"]
    assert second == first | {"modelVersionId": "2"}
    status, model = gapic.send("GET", first["model"].replace("/", "/") + "%402")
    assert status == 200
    assert (model["name"], model["versionId"]) == (f"{first['model']}@2", "2")
    status, answer = gapic.send("GET", f"{first['model']}:listVersions")
    assert [version["versionId"] for version in answer["models"]] == ["1", "2"]
    body = {"versionAliases": ["prod"]}
    status, model = gapic.send("POST", f"{first['model']}%402:mergeVersionAliases", body)
    assert (status, model["versionAliases"]) == (200, ["canary", "prod"])


def test_an_endpoint_is_made_filled_split_and_emptied(gapic, upload):
    model = upload()["response"]["model"]
    _, operation = gapic.send("POST", f"{gapic.parent}/endpoints", {"displayName": "e"})
    assert operation["metadata"]["@type"] == f"{TYPE}CreateEndpointOperationMetadata"
    endpoint = gapic.done(operation)["response"]
    assert endpoint["@type"] == f"{TYPE}Endpoint"
    name = endpoint["name"]

    body = {
        "deployedModel": {"model": f"{model}@1", "dedicatedResources": MACHINE},
        "trafficSplit": {"0": 100},
    }
    _, operation = gapic.send("POST", f"{name}:deployModel", body)
    assert operation["name"].startswith(f"{name}/operations/")
    response = gapic.done(operation)["response"]
    assert response["@type"] == f"{TYPE}DeployModelResponse"
    first = response["deployedModel"]["id"]

    body["trafficSplit"] = {"0": 10, first: 90}
    _, operation = gapic.send("POST", f"{name}:deployModel", body)
    second = gapic.done(operation)["response"]["deployedModel"]["id"]

    _, endpoint = gapic.send("GET", name)
    assert endpoint["trafficSplit"] == {first: 90, second: 10}
    whole = endpoint | {"trafficSplit": {first: 0, second: 100}, "displayName": "ignored"}
    status, endpoint = gapic.send("PATCH", f"{name}?updateMask=trafficSplit", whole)
    assert status == 200
    assert endpoint["trafficSplit"] == {first: 0, second: 100}
    assert endpoint["displayName"] == "e"

    body = {"deployedModelId": first, "trafficSplit": {second: 100}}
    _, operation = gapic.send("POST", f"{name}:undeployModel", body)
    assert gapic.done(operation)["response"] == {"@type": f"{TYPE}UndeployModelResponse"}
    _, operation = gapic.send("POST", f"{name}:undeployModel", {"deployedModelId": second})
    gapic.done(operation)
    _, operation = gapic.send("DELETE", name)
    assert operation["name"].startswith(f"{gapic.parent}/operations/")
    assert operation["metadata"]["@type"] == f"{TYPE}DeleteOperationMetadata"
    assert gapic.done(operation)["response"] == {
        "@type": "type.googleapis.com/google.protobuf.Empty"
    }


def test_a_missing_endpoint_is_googles_error(gapic):
    name = "projects/1/locations/us-central1/endpoints/404"
    status, answer = gapic.send("GET", name)
    assert status == 404
    message = f"Endpoint `{name}` not found."
    assert answer == {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}}


def test_enums_are_taken_by_name_and_by_number(gapic):
    for value in (1, "MODEL_GARDEN"):
        body = {"model": {"displayName": "m", "modelSourceInfo": {"sourceType": value}}}
        status, answer = gapic.send("POST", f"{gapic.parent}/models:upload", body)
        # Past the schema, and refused for what is missing.
        assert answer["error"]["message"] == (
            "The field `model.container_spec.image_uri` is required."
        )
    body["model"]["modelSourceInfo"]["sourceType"] = 99
    status, answer = gapic.send("POST", f"{gapic.parent}/models:upload", body)
    assert status == 400
    assert answer["error"]["message"].startswith(
        "Invalid value at 'model.model_source_info.source_type' (type.googleapis.com/"
    )


def test_the_beta_api_says_that_it_is_not_here(clouds):
    url = f"{clouds.url}/v1beta1/projects/p/locations/l/models"
    answer = requests.get(url, timeout=60)
    assert answer.status_code == 501
    assert answer.json()["error"]["status"] == "UNIMPLEMENTED"


def test_googleapiclient_reaches_everything_with_its_own_names(vertex):
    model = vertex.upload()["name"]
    versions = vertex.models.listVersions(name=model).execute()["models"]
    assert [version["name"] for version in versions] == [f"{model}@1"]
    endpoint = vertex.create_endpoint(labels={"a": "b"})
    assert vertex.endpoints.list(parent=vertex.parent, filter="labels.a=b").execute()[
        "endpoints"
    ] == [vertex.endpoints.get(name=endpoint).execute()]


def test_an_unknown_region_is_refused_for_every_method(gapic):
    elsewhere = gapic.parent.replace("us-central1", "europe-west99")
    denied = {
        "error": {
            "code": 403,
            "message": "Permission denied on 'locations/europe-west99' (or it may not exist).",
            "status": "PERMISSION_DENIED",
        }
    }
    assert gapic.send("GET", f"{elsewhere}/models") == (403, denied)
    assert gapic.send("POST", f"{elsewhere}/endpoints/e:predict", {}) == (403, denied)
    assert gapic.send("POST", f"{elsewhere}/endpoints", {"displayName": "e"}) == (403, denied)
    here = gapic.parent.replace("us-central1", "europe-west4")
    assert gapic.send("GET", f"{here}/models") == (200, {})
