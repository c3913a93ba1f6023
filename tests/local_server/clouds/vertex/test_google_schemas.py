"""Requests made from Google's discovery documents, right and wrong: no 500, no stub success."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DEPTH = 3
WRONG = {"boolean": "maybe", "integer": "x", "number": "x", "string": 7}
ANYTHING = st.none() | st.booleans() | st.text(max_size=3)
SCALARS = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False, width=32),
}
FEW = settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


class Document:
    """A discovery document: its methods, and values that its schemas allow or refuse."""

    def __init__(self, name: str) -> None:
        import googleapiclient.discovery_cache as cache

        path = Path(cache.__file__).parent / "documents" / f"{name}.v1.json"
        self._document = json.loads(path.read_bytes())
        self.schemas = self._document["schemas"]

    def methods(self, resource: dict | None = None) -> Iterator[dict]:
        resource = self._document if resource is None else resource
        yield from resource.get("methods", {}).values()
        for nested in resource.get("resources", {}).values():
            yield from self.methods(nested)

    def path(self, method: dict) -> str:
        """Return a path that the method's template takes."""

        def fill(match: re.Match) -> str:
            pattern = method["parameters"][match[1]].get("pattern", "^[^/]+$")
            return pattern.strip("^$").replace("[^/]+", "x").replace(".*", "x")

        path = re.sub(r"\{\+?(\w+)\}", fill, method["path"])
        return path.replace("locations/x", "locations/us-central1")

    def value(self, schema: dict, depth: int) -> st.SearchStrategy:
        if "$ref" in schema:
            return self.message(schema["$ref"], depth)
        if "enum" in schema:
            return st.sampled_from(schema["enum"]) | st.integers(0, 1)
        if schema.get("type") == "array":
            return st.lists(self.value(schema["items"], depth), max_size=2)
        if schema.get("type") == "object":
            inner = schema.get("additionalProperties", {"type": "any"})
            return st.dictionaries(st.text(max_size=3), self.value(inner, depth), max_size=2)
        if schema.get("type") == "string":
            return self._string(schema.get("format", ""))
        return SCALARS.get(schema.get("type", ""), ANYTHING)

    def _string(self, form: str) -> st.SearchStrategy:
        if form in {"int64", "uint64"}:
            return st.integers(0, 2**63 - 1).map(str)
        if form == "byte":
            return st.just("AAAA")
        return st.text(max_size=5) | st.sampled_from(
            ["gs://models/double/1", "projects/x/locations/us-central1/models/x", "jsonl", "1.5s"]
        )

    def message(self, schema_id: str, depth: int = DEPTH) -> st.SearchStrategy:
        properties = self.schemas[schema_id].get("properties", {})
        if not depth or not properties:
            return st.just({})
        fields = {name: self.value(schema, depth - 1) for name, schema in properties.items()}
        return st.fixed_dictionaries({}, optional=fields)

    def wrong_fields(self, schema_id: str) -> list[dict]:
        """Return bodies with one field each that the schema refuses."""
        bodies: list[dict] = [{"noSuchField": 1}]
        for name, schema in self.schemas[schema_id].get("properties", {}).items():
            bodies += [{name: wrong} for wrong in self._wrong(schema)]
        return bodies

    def _wrong(self, schema: dict) -> list[object]:
        if "enum" in schema:
            return ["NO_SUCH_VALUE", 10**6]
        if "$ref" in schema:
            return ["text", [], {"noSuchField": 1}] if self._is_message(schema["$ref"]) else []
        if schema.get("type") == "array":
            return self._wrong(schema["items"])[:1]
        if schema.get("type") == "object":
            return ["text", 7]
        wrong = WRONG.get(schema.get("type", ""))
        return [] if wrong is None else [wrong, {}]

    def _is_message(self, schema_id: str) -> bool:
        return "properties" in self.schemas[schema_id]


AIPLATFORM, ML = Document("aiplatform"), Document("ml")
PREFIX = "aiplatform.projects.locations."
OFFLINE = [
    method
    for method in AIPLATFORM.methods()
    if re.fullmatch(
        rf"{re.escape(PREFIX)}(models|endpoints|batchPredictionJobs)\.\w+", method["id"]
    )
    and "request" in method
]
BY_ID = {method["id"].removeprefix(PREFIX): method for method in OFFLINE}
JUDGED = [
    "models.upload",
    "models.copy",
    "models.export",
    "models.patch",
    "models.mergeVersionAliases",
    "endpoints.create",
    "endpoints.patch",
    "endpoints.update",
    "endpoints.deployModel",
    "endpoints.undeployModel",
    "endpoints.mutateDeployedModel",
    "endpoints.predict",
    "endpoints.directRawPredict",
    "batchPredictionJobs.create",
]

ML_PREFIX = "ml.projects.models."
ML_BY_ID = {method["id"].removeprefix(ML_PREFIX): method for method in ML.methods()}
ML_JUDGED = ["create", "patch", "versions.create", "versions.patch"]


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


def send(session, url: str, method: dict, path: str, **options) -> requests.Response:
    response = session.request(method["httpMethod"], f"{url}/{path}", timeout=60, **options)
    if response.status_code != 200:
        error = response.json()["error"]
        assert error["code"] == response.status_code
        assert error["message"]
        assert error["status"]
    return response


@pytest.mark.parametrize("document", [AIPLATFORM, ML], ids=["aiplatform", "ml"])
def test_no_method_of_the_documents_breaks_or_pretends(clouds, session, document):
    """Everything is sent to what does not exist: nothing but a list may succeed.

    Of a missing resource, testIamPermissions "will return an empty set of permissions".
    """
    for method in document.methods():
        answer = send(session, clouds.url, method, document.path(method), json={})
        if answer.status_code == 200:
            assert answer.json() == {}, method["id"]
            name = method["id"].rpartition(".")[2]
            assert name.startswith("list") or name == "testIamPermissions", method["id"]
        else:
            assert answer.status_code in {400, 404, 501}, (method["id"], answer.text)


@pytest.mark.parametrize(
    ("document", "method"),
    [
        *(pytest.param(AIPLATFORM, BY_ID[name], id=name) for name in JUDGED),
        *(pytest.param(ML, ML_BY_ID[name], id=f"ml.{name}") for name in ML_JUDGED),
    ],
)
def test_each_field_refuses_what_its_schema_refuses(clouds, session, document, method):
    for body in document.wrong_fields(method["request"]["$ref"]):
        answer = send(session, clouds.url, method, document.path(method), json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["status"]) == (400, "INVALID_ARGUMENT"), body
        assert error["details"][0]["fieldViolations"], body


class Lived:
    """A project with a model and an endpoint where it is deployed, for requests to get at."""

    def __init__(self, vertex) -> None:
        vertex.parent = "projects/schemas/locations/us-central1"
        self.parent = vertex.parent
        self.model = vertex.upload()["name"]
        self.endpoint = vertex.create_endpoint()
        self.deployed = vertex.deploy(self.endpoint, self.model, {"0": 100})

    def path(self, method: dict) -> str:
        """Return the method's path with existing resources."""
        names = {
            "models": {"parent": self.parent, "name": self.model},
            "endpoints": {"parent": self.parent, "endpoint": self.endpoint, "name": self.endpoint},
            "batchPredictionJobs": {"parent": self.parent},
        }[method["id"].split(".")[3]]
        return re.sub(r"\{\+?(\w+)\}", lambda match: names[match[1]], method["path"])

    def required(self, name: str) -> dict:
        """Return what a request needs to get past the first rules."""
        model = {
            "displayName": "m",
            "containerSpec": {"imageUri": "gcr.io/p/serving"},
        }
        machines = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
        deployed = {"model": self.model, "dedicatedResources": machines, "id": self.deployed}
        return {
            "models.upload": {"model": model},
            "models.copy": {"sourceModel": self.model},
            "models.export": {
                "outputConfig": {"artifactDestination": {"outputUriPrefix": "gs://models/out"}}
            },
            "endpoints.create": {"displayName": "e"},
            "endpoints.update": {
                "endpoint": {"clientConnectionConfig": {"inferenceTimeout": "9s"}}
            },
            "endpoints.directRawPredict": {
                "methodName": "/tensorflow.serving.PredictionService/Predict"
            },
            "endpoints.deployModel": {"deployedModel": deployed | {"id": ""}},
            "endpoints.undeployModel": {"deployedModelId": self.deployed},
            "endpoints.mutateDeployedModel": {"deployedModel": deployed},
            "batchPredictionJobs.create": {"displayName": "j", "model": self.model},
        }.get(name, {})


@pytest.fixture(scope="module")
def lived(vertex_service):
    return Lived(vertex_service)


def merged(body: dict, required: dict) -> dict:
    """Return a body with what is required, each in half of the places where both have a say."""
    both = {**required, **body}
    for name, value in required.items():
        original = body.get(name)
        if isinstance(value, dict) and isinstance(original, dict):
            both[name] = merged(original, value)
        elif len(json.dumps(original)) % 2:
            both[name] = value
    return both


@pytest.mark.parametrize("name", JUDGED)
def test_bodies_that_fit_the_schema_are_judged_by_the_services_rules(clouds, session, lived, name):
    method = BY_ID[name]
    schema = method["request"]["$ref"]
    fields = sorted(AIPLATFORM.schemas[schema]["properties"])
    masks = st.lists(st.sampled_from([*fields, "*"]), max_size=3).map(",".join)

    @FEW
    @given(AIPLATFORM.message(schema), masks)
    def answered(given_body: dict, mask: str) -> None:
        body = merged(given_body, lived.required(name))
        query = {"updateMask": mask} if method["httpMethod"] == "PATCH" else {}
        answer = send(session, clouds.url, method, lived.path(method), json=body, params=query)
        assert answer.status_code in {200, 400, 404, 409, 501}
        # Not a word of the schema's own refusals, which carry the fields.
        assert "fieldViolations" not in answer.text
        if "metadata" in answer.json():
            # Only what can really be begun is: the operation is there, and ends.
            url = f"{clouds.url}/v1/{answer.json()['name']}:wait?timeout=30s"
            ended = session.post(url, timeout=60).json()
            assert ended["done"] is True
            assert ("error" in ended) != ("response" in ended)

    answered()


@pytest.mark.parametrize("name", ML_JUDGED)
def test_bodies_that_fit_ml_v1s_schema_are_judged_by_ai_platforms_rules(clouds, session, name):
    method = ML_BY_ID[name]
    schema = method["request"]["$ref"]
    fields = [*sorted(ML.schemas[schema]["properties"]), "autoScaling.minNodes", "labels.a"]
    masks = st.lists(st.sampled_from(fields), max_size=3).map(",".join)
    url = f"{clouds.url}/v1/projects/schemas/models"
    required = {
        "name": "v1",
        "deploymentUri": "gs://models/double/1",
        "runtimeVersion": "2.11",
        "pythonVersion": "3.7",
    }
    session.post(url, json={"name": "m"}, timeout=60)
    session.post(f"{url}/m/versions", json=required, timeout=60)
    names = {"parent": "projects/schemas", "name": "projects/schemas/models/m"}
    if name.startswith("versions."):
        names = {"parent": names["name"], "name": f"{names['name']}/versions/v1"}
    path = re.sub(r"\{\+?(\w+)\}", lambda match: names[match[1]], method["path"])

    @FEW
    @given(ML.message(schema), masks)
    def answered(given_body: dict, mask: str) -> None:
        body = merged(given_body, required if name == "versions.create" else {})
        query = {"updateMask": mask} if method["httpMethod"] == "PATCH" else {}
        answer = send(session, clouds.url, method, path, json=body, params=query)
        assert answer.status_code in {200, 400, 409, 501}

    answered()


@pytest.mark.parametrize("name", JUDGED)
def test_a_body_that_is_not_json_is_refused(clouds, session, name):
    method = BY_ID[name]

    @FEW
    @given(st.binary(min_size=1) | st.sampled_from([b"[]", b"7", b'"x"', b"{]", b"\xff", b"NaN"]))
    def refused(body: bytes) -> None:
        answer = send(session, clouds.url, method, AIPLATFORM.path(method), data=body)
        assert answer.status_code in {400, 404}

    refused()


@pytest.mark.parametrize(
    "query",
    [
        "pageSize=x",
        "pageSize=99999999999",
        "nope=1",
        "alt=xml",
        "prettyPrint=maybe",
        "filter=%28",
        "orderBy=%00",
        "pageToken=%FF",
        "page_size=-1",
    ],
)
@pytest.mark.parametrize("collection", ["models", "endpoints", "batchPredictionJobs"])
def test_wrong_queries_are_refused(clouds, session, collection, query):
    url = f"{clouds.url}/v1/projects/x/locations/us-central1/{collection}?{query}"
    answer = session.get(url, timeout=60)
    if collection == "batchPredictionJobs" and query.startswith("orderBy"):
        assert "Cannot bind query parameter" in answer.text
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
