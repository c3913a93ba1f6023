"""Resource Manager's testIamPermissions, through googleapiclient."""

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from googleapiclient import discovery
from googleapiclient.errors import HttpError

PROJECT = "projects/rehearsal"


@pytest.fixture
def permissions(clouds):
    """Return a function that asks which of some permissions the caller has."""
    service = discovery.build(
        "cloudresourcemanager",
        "v3",
        static_discovery=True,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": clouds.url},
    )

    def ask(*names):
        request = service.projects().testIamPermissions(
            resource=PROJECT, body={"permissions": list(names)}
        )
        return request.execute().get("permissions", [])

    yield ask
    service.close()


def test_the_caller_has_every_permission(permissions):
    names = ["aiplatform.endpoints.deploy", "storage.buckets.create"]
    assert permissions(*names) == names
    assert permissions() == []


@pytest.mark.parametrize("name", ["storage.*", "*", "roles/owner", "aiplatform"])
def test_a_name_that_is_no_permission_is_refused(permissions, name):
    with pytest.raises(HttpError, match=r"400 .*is not valid for this resource"):
        permissions("storage.objects.get", name)


@pytest.mark.parametrize("method", ["get", "getIamPolicy", "list"])
def test_any_other_method_is_refused_by_name(clouds, method):
    paths = {
        "get": ("GET", f"/v3/{PROJECT}"),
        "getIamPolicy": ("POST", f"/v3/{PROJECT}:getIamPolicy"),
        "list": ("GET", "/v3/projects?parent=organizations/1"),
    }
    verb, path = paths[method]
    answer = requests.request(verb, f"{clouds.url}{path}", timeout=60)
    assert answer.status_code == 501
    assert f"projects.{method} is not available offline." in answer.text
