"""Answers of a scripted Vertex AI, and a provider that asks it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.labels import version_labels
from cloudserve.adapters.google.vertex.api import VertexApi
from cloudserve.adapters.google.vertex.fields.images import Availability
from cloudserve.adapters.google.vertex.fields.options import Options
from cloudserve.adapters.google.vertex.provider import Vertex
from cloudserve.adapters.google.vertex.records import description
from cloudserve.adapters.polling import Poller

from cloudserve.release.types import Action, Location, Revision
from tests.adapters.google.owned import VERTEX, model_labels

PARENT = "projects/p/locations/us-central1"
# The platform names the project by its number in what it answers.
NUMBERED = "projects/123456/locations/us-central1"
MODEL, ENDPOINT = f"{PARENT}/models/half-plus", f"{PARENT}/endpoints/half-plus"
ONE = Revision(1, "0f3c5a9b7d21" + "e" * 52)
LOCATION = Location("gs://bucket", "cloudserve/x/", "half-plus", 1)
DEPLOYED = {
    "displayName": ONE.id,
    "dedicatedResources": {"machineSpec": {"machineType": "n1-standard-2"}},
}
TODAY = datetime(2026, 11, 21, tzinfo=UTC)
ARGS = {"model": "half-plus", "revision": ONE.id}


def answer(status, body):
    return status, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(body).encode()


def status_of(code, message, name="FAILED_PRECONDITION"):
    return answer(code, {"error": {"code": code, "message": message, "status": name}})


def provider_at(url, timeout=5.0, **fields):
    options = Options(bucket="gs://bucket", project="p", region="us-central1", **fields)
    api = VertexApi("p", "us-central1", url, Access({}), retries=0)
    poller = Poller(timeout, first=0.001, longest=0.01)
    return Vertex(VERTEX, options, api, None, poller, Availability(clock=lambda: TODAY))


def version(number="1", **fields):
    return {
        "name": f"{NUMBERED}/models/half-plus",
        "versionId": number,
        "versionAliases": [ONE.id, "default", "live"],
        "labels": {**model_labels("half-plus"), **version_labels(ONE)},
        "versionDescription": description(ONE, "abc"),
        "artifactUri": LOCATION.saved_model_url,
        "versionCreateTime": "2026-05-06T07:08:09.123456Z",
        **fields,
    }


def endpoint(*deployed, **fields):
    return {
        "name": f"{NUMBERED}/endpoints/half-plus",
        "labels": model_labels("half-plus"),
        "deployedModels": list(deployed),
        "etag": "E",
        **fields,
    }


def placed(identity="77", **fields):
    return {
        "id": identity,
        "model": f"{NUMBERED}/models/half-plus",
        "modelVersionId": "1",
        "createTime": "2026-05-06T07:08:09Z",
        **DEPLOYED,
        **fields,
    }


def operation(owner, name="op", **fields):
    return {"name": f"{owner}/operations/{name}", **fields}


def state(versions=(), endpoint=None):
    """Return the answers that tell what Vertex AI has."""
    listed = answer(200, {"models": list(versions)}) if versions else status_of(404, "none")
    return {
        f"GET {MODEL}:listVersions": listed,
        f"GET {ENDPOINT}": answer(200, endpoint) if endpoint else status_of(404, "none"),
        f"GET {ENDPOINT.rpartition('/')[0]}": answer(200, {}),
        f"GET {ENDPOINT}/operations": answer(200, {}),
        f"GET {MODEL}/operations": answer(200, {}),
    }


def deploy_action():
    return Action("deploy-model", "deploy", {**ARGS, "deployed": DEPLOYED})


def posted(server, suffix):
    return [
        json.loads(a.body) for a in server.requests if a.path.partition("?")[0].endswith(suffix)
    ]
