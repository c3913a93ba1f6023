from __future__ import annotations

import sys

import pytest
from cloudserve.local_server.clouds.google.common.discovery import load
from cloudserve.local_server.clouds.google.common.errors import ApiError
from cloudserve.local_server.status import Code
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import MissingExtraError

API = load("ml", "v1")


@pytest.mark.parametrize(
    ("http_method", "path", "method", "parameters"),
    [
        ("POST", "/v1/projects/p/models", "models.create", {"parent": "projects/p"}),
        ("GET", "/v1/projects/p/models/m", "models.get", {"name": "projects/p/models/m"}),
        (
            "GET",
            "/v1/projects/p/models/m/versions/v",
            "models.versions.get",
            {"name": "projects/p/models/m/versions/v"},
        ),
        (
            "POST",
            "/v1/projects/p/models/m/versions/v:setDefault",
            "models.versions.setDefault",
            {"name": "projects/p/models/m/versions/v"},
        ),
        (
            "POST",
            "/v1/projects/p/models/m:predict",
            "predict",
            {"name": "projects/p/models/m"},
        ),
        (
            "GET",
            "/v1/projects/p/operations/create_m_v-1",
            "operations.get",
            {"name": "projects/p/operations/create_m_v-1"},
        ),
        ("GET", "/v1/projects/a%20b/models", "models.list", {"parent": "projects/a b"}),
    ],
)
def test_a_request_is_recognised_by_method_and_path(http_method, path, method, parameters):
    call = API.match(http_method, path, "alt=json")
    assert call.method.id == f"ml.projects.{method}"
    assert call.path == parameters
    assert call.query == {"alt": "json"}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            "size=5",
            (
                'Invalid JSON payload received. Unknown name "size": Cannot bind query parameter.'
                " Field 'size' could not be found in request message."
            ),
        ),
        ("pageSize=many", "Invalid value at 'page_size' (TYPE_INT32), \"many\""),
        ("pageSize=9999999999", "Invalid value at 'page_size' (TYPE_INT32), \"9999999999\""),
        ("prettyPrint=maybe", "Invalid value at 'pretty_print' (TYPE_BOOL), \"maybe\""),
        ("alt=xml", "Invalid value at 'alt' (TYPE_ENUM), \"xml\""),
    ],
)
def test_an_invalid_query_parameter_is_reported(query, text):
    with pytest.raises(ApiError) as caught:
        API.match("GET", "/v1/projects/p/models", query)
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, text)


@given(path=st.text(), query=st.text())
def test_any_target_is_a_method_or_a_refusal(path, query):
    try:
        API.match("GET", f"/v1/projects/{path}", query)
    except ApiError as error:
        assert error.code in {Code.NOT_FOUND, Code.INVALID_ARGUMENT}


def test_a_missing_sdk_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "googleapiclient.discovery_cache", None)
    with pytest.raises(MissingExtraError) as caught:
        load("ml", "v1")
    assert caught.value.hint == "pip install 'cloudserve[gcp]'"


def test_a_client_without_a_document_of_ml_v1_leaves_the_other_clouds_as_they_are(
    start_emulator, monkeypatch
):
    import requests
    from cloudserve.local_server.clouds.google.ai_platform import app

    def load_nothing(name: str, version: str):
        raise FileNotFoundError(f"{name}.{version}.json")

    monkeypatch.setattr(app, "load", load_nothing)
    url = start_emulator(None).url
    answer = requests.get(f"{url}/v1/projects/p/models", timeout=60)
    assert answer.status_code == 501
    assert answer.json()["error"]["status"] == "UNIMPLEMENTED"
    assert "does not describe ml v1" in answer.json()["error"]["message"]
    vertex = f"{url}/v1/projects/p/locations/us-central1/models"
    assert requests.get(vertex, timeout=60).json() == {}
