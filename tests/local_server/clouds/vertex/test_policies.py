"""IAM policies of models, and which resources have none."""

from __future__ import annotations

import pytest

VIEWER = {"role": "roles/aiplatform.viewer", "members": ["user:a@example.org", "group:g@b.org"]}


@pytest.fixture
def model(vertex) -> str:
    return vertex.upload()["name"]


def test_a_policy_is_kept_and_changed_by_its_etag(vertex, model, refused):
    get = vertex.models.getIamPolicy(resource=model)
    assert get.execute() == {"etag": "ACAB"}
    body = {"policy": {"bindings": [VIEWER], "etag": "ACAB"}}
    kept = vertex.models.setIamPolicy(resource=model, body=body).execute()
    assert (kept["version"], kept["bindings"]) == (1, [VIEWER])
    assert get.execute() == kept
    _, code, message = refused(vertex.models.setIamPolicy(resource=model, body=body))
    assert (code, "Please retry the whole read-modify-write" in message) == ("ABORTED", True)
    body["policy"] = {"etag": kept["etag"]}
    emptied = vertex.models.setIamPolicy(resource=model, body=body).execute()
    assert emptied["etag"] != kept["etag"]
    assert "bindings" not in emptied
    unconditional = vertex.models.setIamPolicy(resource=model, body={"policy": {}}).execute()
    assert unconditional["etag"] not in {kept["etag"], emptied["etag"]}


def test_a_policy_goes_with_its_model(vertex):
    name = vertex.upload()["name"]
    body = {"policy": {"bindings": [VIEWER]}}
    vertex.models.setIamPolicy(resource=name, body=body).execute()
    vertex.done(vertex.models.delete(name=name))
    again = {
        "modelId": "again",
        "model": {
            "displayName": "m",
            "artifactUri": "gs://models/double/1",
            "containerSpec": {"imageUri": "us-docker.pkg.dev/p/r/serving:1"},
        },
    }
    name = vertex.done(vertex.models.upload(parent=vertex.parent, body=again))["model"]
    vertex.models.setIamPolicy(resource=name, body=body).execute()
    vertex.done(vertex.models.delete(name=name))
    assert vertex.done(vertex.models.upload(parent=vertex.parent, body=again))["model"] == name
    assert vertex.models.getIamPolicy(resource=name).execute() == {"etag": "ACAB"}


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ({"version": 2}, "The version 2 of the policy"),
        ({"bindings": [{"role": "viewer", "members": []}]}, "Role viewer is not supported"),
        ({"bindings": [VIEWER | {"members": ["a@example.org"]}]}, "is of an unknown type"),
        ({"bindings": [VIEWER | {"members": ["allUsers"] * 1501}]}, "1501 principals"),
        ({"bindings": [VIEWER | {"condition": {"expression": "true"}}]}, "Conditions of policies"),
    ],
)
def test_a_policy_that_cannot_be(vertex, model, refused, policy, text):
    request = vertex.models.setIamPolicy(resource=model, body={"policy": policy})
    assert text in refused(request)[2]
    assert vertex.models.getIamPolicy(resource=model).execute() == {"etag": "ACAB"}


def test_a_model_that_does_not_exist_has_no_policy(vertex, refused):
    name = f"{vertex.parent}/models/1"
    for request in (
        vertex.models.getIamPolicy(resource=name),
        vertex.models.setIamPolicy(resource=name, body={"policy": {}}),
    ):
        assert refused(request)[1] == "NOT_FOUND"
    assert vertex.models.testIamPermissions(resource=name).execute() == {}


@pytest.mark.parametrize("permission", ["*", "aiplatform.*", "aiplatform.models.*", "get"])
def test_only_whole_names_of_permissions_are_tested(vertex, refused, permission):
    request = vertex.models.testIamPermissions(
        resource=f"{vertex.parent}/models/1", permissions=[permission]
    )
    text = f"Permission {permission} is not valid for this resource."
    assert refused(request)[1:] == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize("kind", ["featurestores/f", "datasets/d", "reasoningEngines/1"])
def test_policies_of_other_resources_are_refused_by_name(vertex, kind):
    status, answer = vertex.call("POST", f"{vertex.parent}/{kind}:getIamPolicy")
    name = kind.partition("/")[0]
    expected = f"projects.locations.{name}.getIamPolicy is not available offline."
    assert (status, answer["error"]["message"]) == (501, expected)


def test_endpoints_have_no_policies(vertex):
    """They have such methods in v1beta1 alone (Vertex AI, "Control access to endpoints")."""
    status, answer = vertex.call("POST", f"{vertex.create_endpoint()}:getIamPolicy")
    assert (status, answer["error"]["status"]) == (404, "NOT_FOUND")
