"""What an undeployment removes on the offline Vertex AI, and what it leaves alone."""

from __future__ import annotations

import pytest
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.project import Target
from cloudserve.testing.provider_contract import MODEL
from cloudserve.testing.provider_steps import live, perform, plan, promote, put, removal

BODY = b'{"instances": [1.0]}'
LAST = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}


@pytest.fixture
def provider(bucket, vertex):
    return vertex(Target("gcp", "vertex", {"bucket": f"gs://{bucket}", "project": f"p-{bucket}"}))


@pytest.fixture
def api(bucket, clouds):
    endpoint = clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    return VertexApi(f"p-{bucket}", "us-central1", endpoint, Access(clouds))


@pytest.fixture
def deploy(provider, half_plus_two):
    def deploy(number):
        revision = put(provider, MODEL, number, half_plus_two)
        perform(provider, plan(provider, MODEL, revision))
        return revision

    return deploy


def done(api, operation):
    while not operation.get("done"):
        operation = api.operation(operation["name"])
    assert "error" not in operation


def test_deployments_that_share_the_traffic_go_one_after_the_other(provider, api, deploy):
    one, two = deploy(1), deploy(2)
    promote(provider, MODEL, two, 30)
    actions = removal(provider, MODEL)
    assert [action.kind for action in actions] == [
        "take-off",
        "take-off",
        "delete-endpoint",
        "delete-model",
    ]
    assert actions[0].sentence == f"undeploy {two.id} from the endpoint {MODEL}"
    perform(provider, actions[:1])
    assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
    assert provider.predict(MODEL, BODY)
    perform(provider, removal(provider, MODEL))
    assert (api.endpoint(MODEL), api.versions(MODEL)) == (None, None)


def test_the_default_version_gives_its_alias_away_before_it_goes(provider, api, deploy):
    deploy(1)
    two = deploy(2)
    api.merge_aliases(MODEL, "2", ["default"])
    perform(provider, removal(provider, MODEL, two))
    (left,) = api.versions(MODEL)
    assert (left["versionId"], "default" in left["versionAliases"]) == ("1", True)


def test_the_only_version_goes_with_its_model(provider, api, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"\x08\x01 not a model")
    revision = put(provider, MODEL, 1, broken)
    with pytest.raises(RemoteError):
        perform(provider, plan(provider, MODEL, revision))
    actions = removal(provider, MODEL, revision)
    assert [action.kind for action in actions] == ["delete-model"]
    perform(provider, actions)
    assert api.versions(MODEL) is None
    assert api.endpoint(MODEL) is not None


def test_a_version_and_a_deployment_of_somebody_elses_stay(provider, api, deploy):
    one, two = deploy(1), deploy(2)
    (ours, *_) = api.versions(MODEL)
    upload = {
        "parentModel": api.model_name(MODEL),
        "model": {
            "displayName": "by hand",
            "artifactUri": ours["artifactUri"],
            "containerSpec": ours["containerSpec"],
        },
    }
    done(api, api.upload(upload))
    body = {"deployedModel": {"model": api.model_name(MODEL, "3"), "dedicatedResources": LAST}}
    done(api, api.deploy(MODEL, body))
    with pytest.raises(ConflictError, match="also has what cloudserve did not deploy"):
        removal(provider, MODEL)
    perform(provider, removal(provider, MODEL, two))
    assert {v["versionId"] for v in api.versions(MODEL)} == {"1", "3"}

    placed = api.endpoint(MODEL)["deployedModels"]
    (theirs,) = [p["id"] for p in placed if p.get("displayName") != one.id]
    done(api, api.undeploy(MODEL, {"deployedModelId": theirs}))
    api.merge_aliases(MODEL, "3", ["default"])
    actions = removal(provider, MODEL)
    assert [action.kind for action in actions] == ["take-off", "delete-endpoint", "remove-version"]
    perform(provider, actions)
    assert {v["versionId"] for v in api.versions(MODEL)} == {"3"}


def test_a_version_that_is_deployed_elsewhere_is_refused_before_anything_is_undeployed(
    provider, api, deploy
):
    one, two = deploy(1), deploy(2)
    done(api, api.create_endpoint("theirs", {"displayName": "theirs"}))
    body = {"deployedModel": {"model": api.model_name(MODEL, "1"), "dedicatedResources": LAST}}
    done(api, api.deploy("theirs", body))
    for revisions in ((), (one,)):
        with pytest.raises(
            ConflictError, match=f"{one.id}, is also deployed on the endpoint theirs"
        ):
            removal(provider, MODEL, *revisions)
    perform(provider, removal(provider, MODEL, two))
    assert live(provider.read(MODEL).deployment) == {one.id: 1.0}


def test_a_version_of_somebody_elses_that_comes_later_keeps_the_model(provider, api, deploy):
    deploy(1)
    actions = removal(provider, MODEL)
    (ours,) = api.versions(MODEL)
    model = {key: ours[key] for key in ("artifactUri", "containerSpec")}
    upload = {"parentModel": api.model_name(MODEL), "model": {"displayName": "x", **model}}
    done(api, api.upload(upload))
    with pytest.raises(ConflictError, match="has versions that cloudserve did not make"):
        perform(provider, actions)
    assert len(api.versions(MODEL)) == 2


def test_a_version_of_somebody_elses_with_the_labels_of_ours_stays(provider, api, deploy):
    """Labels of the model are shown on all its versions; the SDK may copy ours there."""
    one = deploy(1)
    (ours,) = api.versions(MODEL)
    name = api.model_name(MODEL)
    more = {"team": "x", "cloudserve-state": "failed"}
    body = {"name": name, "labels": ours["labels"] | more}
    api._models.patch(name=name, updateMask="labels", body=body).execute()
    model = {key: ours[key] for key in ("displayName", "artifactUri", "containerSpec")}
    done(api, api.upload({"parentModel": name, "model": model}))
    assert api.versions(MODEL)[1]["labels"] == body["labels"]
    assert plan(provider, MODEL, one) == ()
    with pytest.raises(ConflictError, match=f"{one.id}, is the default one, and all others are"):
        removal(provider, MODEL)
    api.merge_aliases(MODEL, "2", ["default"])
    perform(provider, removal(provider, MODEL))
    assert {v["versionId"] for v in api.versions(MODEL)} == {"2"}
