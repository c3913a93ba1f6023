"""Google permissions that are denied: the refusals of the JSON APIs, and testIamPermissions."""

from __future__ import annotations

import json

import google.api_core.exceptions
import pytest
import requests

PARENT = "projects/p/locations/us-central1"


@pytest.fixture(scope="module")
def denied(new_emulator):
    """Give an emulator that denies a few permissions."""
    names = "aiplatform.endpoints.deploy,aiplatform.models.*,storage.objects.delete"
    more = "storage.multipartUploads.create,monitoring.timeSeries.list,storage.buckets.list"
    running = new_emulator(None, deny=(names, more))
    yield running
    running.stop()


def test_vertex_names_the_permission_and_the_resource(denied):
    """Text and reason are those of python-aiplatform#1880 and google-gemini/gemini-cli#1966."""
    url = f"{denied.url}/v1/{PARENT}/endpoints/7:deployModel"
    answer = requests.post(url, json={"deployedModel": {"model": "m"}}, timeout=60)
    resource = f"{PARENT}/endpoints/7"
    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "code": 403,
        "message": "Permission 'aiplatform.endpoints.deploy' denied on resource"
        f" '//aiplatform.googleapis.com/{resource}' (or it may not exist).",
        "status": "PERMISSION_DENIED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "IAM_PERMISSION_DENIED",
                "domain": "aiplatform.googleapis.com",
                "metadata": {"permission": "aiplatform.endpoints.deploy", "resource": resource},
            }
        ],
    }


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", f"/v1/{PARENT}/models", "aiplatform.models.list"),
        ("POST", f"/v1/{PARENT}/models:upload", "aiplatform.models.upload"),
        ("DELETE", f"/v1/{PARENT}/models/7@1:deleteVersion", "aiplatform.models.delete"),
        ("GET", "/v3/projects/p/timeSeries", "monitoring.timeSeries.list"),
    ],
)
def test_each_method_has_its_permission(denied, method, path, permission):
    answer = requests.request(method, denied.url + path, json={}, timeout=60)
    assert answer.status_code == 403
    assert f"Permission '{permission}' denied on resource" in answer.json()["error"]["message"]
    assert requests.get(f"{denied.url}/v1/{PARENT}/endpoints", timeout=60).status_code == 200


def test_cloud_storage_names_the_account_and_the_permission(denied):
    """The text is that of data-integrations/google-cloud#1503."""
    with denied.gcs() as client:
        bucket = client.create_bucket("models")
        bucket.blob("a").upload_from_string(b"x")
        with pytest.raises(google.api_core.exceptions.Forbidden) as error:
            bucket.blob("a").delete()
        account = "offline@cloudserve-offline.iam.gserviceaccount.com"
        assert error.value.errors == [
            {
                "domain": "global",
                "reason": "forbidden",
                "message": f"{account} does not have storage.objects.delete access to the Google"
                " Cloud Storage object. Permission 'storage.objects.delete' denied on resource (or"
                " it may not exist).",
            }
        ]
        assert bucket.blob("a").download_as_bytes() == b"x"
        with pytest.raises(google.api_core.exceptions.Forbidden, match="the Google Cloud project"):
            list(client.list_buckets())
    headers = {"x-goog-api-client": "test"}
    url = f"{denied.url}/models/b?uploads"
    answer = requests.post(url, headers=headers, timeout=60)
    assert answer.status_code == 403
    assert "storage.multipartUploads.create" in answer.text


def test_iam_permissions_that_are_asked_for(denied):
    """Of a missing model they are "an empty set of permissions" (discovery document)."""
    with denied.gcs() as client:
        bucket = client.create_bucket("asked")
        asked = ["storage.objects.get", "storage.objects.delete"]
        assert bucket.test_iam_permissions(asked) == ["storage.objects.get"]
        with pytest.raises(google.api_core.exceptions.NotFound):
            client.bucket("missing").test_iam_permissions(asked)
    url = f"{denied.url}/v1/{PARENT}/models/7:testIamPermissions?permissions=aiplatform.models.get"
    answer = requests.post(url, timeout=60)
    assert (answer.status_code, json.loads(answer.content)) == (200, {})
