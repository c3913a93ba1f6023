"""Releases to Vertex AI beyond the contract: names, machines, containers, what is undeployed."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi

from cloudserve.errors import ConflictError, ProjectError, RemoteError, UserError
from cloudserve.project import Target
from cloudserve.release.types import State
from cloudserve.testing.provider_contract import MODEL
from cloudserve.testing.provider_steps import live, perform, plan, promote, put


@pytest.fixture
def make(bucket, vertex):
    """Give what makes the provider of one project with other fields."""

    def make(**fields):
        common = {"bucket": f"gs://{bucket}", "project": f"p-{bucket}", "labels": {"team": "x"}}
        return vertex(Target("gcp", "vertex", {**common, **fields}))

    return make


@pytest.fixture
def api(bucket, clouds):
    endpoint = clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    return VertexApi(f"p-{bucket}", "us-central1", endpoint, Access(clouds))


@pytest.fixture
def deploy(half_plus_two, half_plus_three):
    """Give what deploys versions, odd ones x/2+2, even ones x/2+3, and returns their revisions."""

    def deploy(provider, *numbers):
        revisions = []
        for number in numbers:
            source = half_plus_two if number % 2 else half_plus_three
            revisions.append(put(provider, MODEL, number, source))
            perform(provider, plan(provider, MODEL, revisions[-1]))
        return revisions

    return deploy


def ask(provider, revision=None):
    body = b'{"instances": [1.0]}'
    return json.loads(provider.predict(MODEL, body, revision and revision.id))["predictions"]


def version(api, alias):
    (result,) = [v for v in api.versions(MODEL) if alias in v.get("versionAliases", ())]
    return result


def on_endpoint(api):
    return [d["displayName"] for d in api.endpoint(MODEL).get("deployedModels", ())]


def kinds(actions):
    return [action.kind for action in actions]


# Names.


def test_a_version_carries_revision_and_owner_in_alias_labels_and_description(
    make, api, bucket, deploy
):
    (one,) = deploy(make(), 1)
    result = version(api, one.id)
    assert set(result["versionAliases"]) == {one.id, "live", "default"}
    owner = {
        "team": "x",
        "cloudserve-model": MODEL,
        "cloudserve-project": bucket,
        "cloudserve-target": "gcp",
        "cloudserve-bucket": bucket,
    }
    assert result["labels"] == {
        **owner,
        "cloudserve-number": "1",
        "cloudserve-digest-1": one.digest[:32],
        "cloudserve-digest-2": one.digest[32:],
    }
    assert result["versionDescription"].startswith(f"cloudserve v1 sha256:{one.digest} container:")
    assert api.endpoint(MODEL)["labels"] == owner


def test_aliases_move_with_all_traffic_and_not_with_a_part(make, api, deploy):
    provider = make()
    one, two = deploy(provider, 1, 2)
    promote(provider, MODEL, two, 10)
    assert "live" in version(api, one.id)["versionAliases"]
    promote(provider, MODEL, two)
    assert {"live", "default"} <= set(version(api, two.id)["versionAliases"])
    assert set(version(api, one.id)["versionAliases"]) == {one.id, "previous"}


def test_a_version_is_approved_by_an_alias_of_the_registry(make, api, deploy):
    provider = make(approval_alias="checked")
    one, two = deploy(provider, 1, 2)
    assert provider.registry == "the alias checked of Vertex AI's model registry"
    missing = provider.approval(MODEL, two)
    assert not missing.is_given
    assert missing.sentence.endswith("registry: no version of this target has it")
    assert missing.hint.endswith(f'mergeVersionAliases of {MODEL}@2 with ["checked"]')
    api.merge_aliases(MODEL, "2", ["checked"])
    assert provider.approval(MODEL, two).is_given
    assert provider.approval(MODEL, one).sentence.endswith(f"registry: {two.id} has it")
    assert make().registry == ""
    with pytest.raises(ProjectError, match="`approval_alias` cannot be `live`"):
        make(approval_alias="live")


def test_a_promotion_interrupted_before_its_aliases_is_finished_by_the_next(make, api, deploy):
    provider = make()
    _, two = deploy(provider, 1, 2)
    traffic, aliases = provider.plan_traffic(provider.read(MODEL), two.id)
    perform(provider, [traffic])
    assert provider.plan_traffic(provider.read(MODEL), two.id) == (aliases,)
    perform(provider, [aliases])
    assert "live" in version(api, two.id)["versionAliases"]


def test_a_description_that_somebody_changed_does_not_lose_the_revision(make, api, deploy):
    provider = make()
    (one,) = deploy(provider, 1)
    body = {"versionDescription": "our best model"}
    api.patch_version(MODEL, one.id, "versionDescription", body)
    assert [d.revision for d in provider.read(MODEL).deployment.revisions] == [one]
    assert plan(provider, MODEL, one) == ()


def test_model_names_become_ids_that_vertex_takes(make, half_plus_two):
    provider = make()
    revision = put(provider, "My_Model", 1, half_plus_two)
    perform(provider, plan(provider, "My_Model", revision))
    assert provider.read("My_Model").deployment.endpoint.endswith("/endpoints/my-model")
    with pytest.raises(
        ConflictError, match="the endpoint my-model belongs to the model `my_model`"
    ):
        provider.read("my-model")


def test_an_endpoint_of_somebody_elses_is_left_alone(make, api, bucket):
    operation = api.create_endpoint(MODEL, {"displayName": "theirs"})
    while not operation.get("done"):
        operation = api.operation(operation["name"])
    with pytest.raises(
        ConflictError, match="exists, and nothing says that it is this target's"
    ) as error:
        make().read(MODEL)
    assert error.value.where.endswith(f"/endpoints/{MODEL}")
    assert error.value.hint == (
        "give this target a name of its own with `endpoint_name`, or adopt it: "
        f"gcloud ai endpoints update {api.endpoint(MODEL)['name']} "
        f"--update-labels=cloudserve-model={MODEL},cloudserve-project={bucket},"
        f"cloudserve-target=gcp,cloudserve-bucket={bucket}"
    )


# What is undeployed, and deployed again.


def test_one_revision_stays_for_the_way_back_and_others_are_undeployed(make, api, deploy):
    provider = make()
    one, two = deploy(provider, 1, 2)
    promote(provider, MODEL, two)
    (three,) = deploy(provider, 3)
    assert on_endpoint(api) == [one.id, two.id, three.id]
    promote(provider, MODEL, three)
    assert on_endpoint(api) == [two.id, three.id]
    assert {d.revision for d in provider.read(MODEL).deployment.revisions} == {one, two, three}
    assert provider.read(MODEL).deployment.find(one.id).reason == "not on the endpoint"


def test_going_back_further_deploys_again_without_an_upload(make, api, deploy):
    provider = make(keep_idle=0)
    one, two = deploy(provider, 1, 2)
    promote(provider, MODEL, two)
    assert on_endpoint(api) == [two.id]
    actions = provider.plan_traffic(provider.read(MODEL), one.id)
    assert kinds(actions) == ["deploy-model", "set-traffic", "set-aliases", "undeploy-model"]
    perform(provider, actions)
    assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
    assert on_endpoint(api) == [one.id]
    assert ask(provider) == ask(provider, one) == [2.5]
    assert len(api.versions(MODEL)) == 2


def test_a_revision_that_was_undeployed_is_deployed_again_by_deploy(make, api, deploy):
    provider = make(keep_idle=0)
    one, two = deploy(provider, 1, 2)
    promote(provider, MODEL, two)
    assert kinds(plan(provider, MODEL, one)) == ["deploy-model"]


def test_deployments_of_others_keep_their_traffic(make, api, deploy):
    provider = make(keep_idle=0)
    (one,) = deploy(provider, 1)
    theirs = {
        "displayName": "theirs",
        "containerSpec": {"imageUri": "gcr.io/p/serving"},
    }
    theirs["artifactUri"] = version(api, one.id)["artifactUri"]
    operation = api.upload({"model": theirs})
    while not operation.get("done"):
        operation = api.operation(operation["name"])
    machines = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
    deployed = {"model": operation["response"]["model"], "dedicatedResources": machines}
    mine = api.endpoint(MODEL)["deployedModels"][0]["id"]
    body = {"deployedModel": {**deployed, "id": "42"}, "trafficSplit": {"0": 30, mine: 70}}
    operation = api.deploy(MODEL, body)
    while not operation.get("done"):
        operation = api.operation(operation["name"])
    observed = provider.read(MODEL).deployment
    assert live(observed) == {one.id: 0.7, "42": 0.3}
    (two,) = deploy(provider, 2)
    promote(provider, MODEL, two, 50)
    assert live(provider.read(MODEL).deployment) == {one.id: 0.35, "42": 0.15, two.id: 0.5}
    promote(provider, MODEL, two)
    assert live(provider.read(MODEL).deployment) == {two.id: 1.0}
    assert on_endpoint(api) == ["theirs", two.id]


# Machines and containers.


def test_more_replicas_are_scaled_in_place(make, api, deploy):
    (one,) = deploy(make(), 1)
    before = api.endpoint(MODEL)["deployedModels"][0]
    provider = make(min_replicas=2, max_replicas=5, cpu_target=70)
    actions = plan(provider, MODEL, one)
    assert [a.sentence for a in actions] == [f"scale {one.id} to 2 to 5 x n1-standard-2"]
    perform(provider, actions * 2)
    after = api.endpoint(MODEL)["deployedModels"][0]
    assert after["id"] == before["id"]
    assert after["dedicatedResources"]["minReplicaCount"] == 2
    assert after["dedicatedResources"]["maxReplicaCount"] == 5
    (metric,) = after["dedicatedResources"]["autoscalingMetricSpecs"]
    assert metric["target"] == 70
    assert plan(provider, MODEL, one) == ()


@pytest.mark.parametrize(
    "fields", [{"machine_type": "g2-standard-4"}, {"service_account": "a@p.iam"}, {"spot": True}]
)
def test_other_machines_take_the_old_ones_place_and_share(make, api, deploy, fields):
    one, two = deploy(make(), 1, 2)
    promote(make(), MODEL, two, 20)
    provider = make(**fields)
    actions = plan(provider, MODEL, two)
    assert kinds(actions)[:2] == (
        ["upload-version", "deploy-model"]
        if "machine_type" in fields  # with accelerators it is another image
        else ["deploy-model", "undeploy-model"]
    )
    perform(provider, actions)
    assert live(provider.read(MODEL).deployment) == {one.id: 0.8, two.id: 0.2}
    assert on_endpoint(api).count(two.id) == 1
    assert plan(provider, MODEL, two) == ()


def test_another_container_is_another_version_of_the_same_revision(make, api, deploy):
    (one,) = deploy(make(), 1)
    provider = make(image="us-docker.pkg.dev/p/r/serving:2.19", env={"TF_CPP_MIN_LOG_LEVEL": "1"})
    perform(provider, plan(provider, MODEL, one))
    (record,) = api.versions(MODEL)
    assert record["containerSpec"]["imageUri"] == "us-docker.pkg.dev/p/r/serving:2.19"
    assert record["containerSpec"]["healthRoute"] == f"/v1/models/{MODEL}"
    assert record["versionId"] == "2"
    assert {"live", "default", one.id} <= set(record["versionAliases"])
    assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
    assert ask(provider, one) == [2.5]


def test_a_change_of_container_that_was_interrupted_continues_from_any_step(make, api, deploy):
    image = "us-docker.pkg.dev/p/r/serving:2.{}"
    (one,) = deploy(make(), 1)
    steps = len(plan(make(image=image.format(0)), MODEL, one))
    for done in range(steps):
        provider = make(image=image.format(done))
        perform(provider, plan(provider, MODEL, one)[:done])
        perform(provider, plan(provider, MODEL, one))
        assert plan(provider, MODEL, one) == ()
        assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
        (record,) = api.versions(MODEL)
        assert record["containerSpec"]["imageUri"] == image.format(done)
        assert on_endpoint(api) == [one.id]


# Endpoints.


def test_a_dedicated_endpoint_is_asked_at_its_own_host(make, api, deploy):
    provider = make(dedicated_endpoint=True)
    (one,) = deploy(provider, 1)
    assert api.endpoint(MODEL)["dedicatedEndpointDns"].endswith(".prediction.vertexai.goog")
    assert ask(provider) == [2.5]
    large = json.dumps({"instances": [1.5] * 500_000}).encode()
    assert len(json.loads(provider.predict(MODEL, large, one.id))["predictions"]) == 500_000


def test_an_endpoint_does_not_change_its_kind(make, deploy):
    deploy(make(), 1)
    with pytest.raises(UserError, match="exists as a shared one, which cannot be changed") as error:
        deploy(make(dedicated_endpoint=True), 2)
    assert "dedicated_endpoint: false" in error.value.hint


# Failures.


def test_a_failed_deployment_says_what_stays_and_where_its_log_is(make, api, deploy, tmp_path):
    provider = make()
    (one,) = deploy(provider, 1)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01 not a model")
    two = put(provider, MODEL, 2, tmp_path)
    with pytest.raises(RemoteError, match="Model server exited unexpectedly") as error:
        perform(provider, plan(provider, MODEL, two))
    assert error.value.message.startswith(f"deploy {two.id}: ")
    assert error.value.where.endswith(f"/endpoints/{MODEL}")
    assert "https://console.cloud.google.com/logs/query;query=resource.type" in error.value.hint
    assert "/operations/" in error.value.request_id
    assert error.value.__notes__ == [f"model version {MODEL}@2 stays in the registry"]
    failed = provider.read(MODEL).deployment.find(two.id)
    assert failed.state is State.FAILED
    assert "Model server exited unexpectedly" in failed.reason
    assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
    assert kinds(plan(provider, MODEL, two)) == ["upload-version", "deploy-model", "delete-version"]


def test_a_prediction_over_the_limit_is_reported_in_the_services_words(make, deploy):
    provider = make()
    deploy(provider, 1)
    large = json.dumps({"instances": [1.5] * 500_000}).encode()
    with pytest.raises(RemoteError, match=r"exceeds 1\.500MB limit") as error:
        provider.predict(MODEL, large)
    assert error.value.status == 400


def test_a_deployment_that_others_took_off_is_an_outdated_plan(make, api, deploy):
    provider = make()
    _, two = deploy(provider, 1, 2)
    actions = provider.plan_traffic(provider.read(MODEL), two.id)
    placed = [d for d in api.endpoint(MODEL)["deployedModels"] if d["displayName"] == two.id]
    operation = api.undeploy(MODEL, {"deployedModelId": placed[0]["id"]})
    while not operation.get("done"):
        operation = api.operation(operation["name"])
    with pytest.raises(ConflictError, match="is not on the endpoint any more") as error:
        perform(provider, actions)
    assert "run the same command again" in error.value.hint


def test_a_request_that_the_model_refuses_is_reported_in_the_containers_sentence(make, deploy):
    provider = make()
    deploy(provider, 1)
    with pytest.raises(RemoteError) as error:
        provider.predict(MODEL, b'{"instances": ["x"]}')
    assert error.value.message == (
        "predict: Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON "
        'Value: "x" Type: String is not of expected type: float'
    )
    assert error.value.status == 400
