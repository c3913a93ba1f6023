"""Networks, keys, labels and autoscaling: from the fields to the offline Vertex AI and back."""

from __future__ import annotations

import pytest
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi
from cloudserve.local_server.clouds.google.common.discovery import load

from cloudserve.errors import ConflictError, ProjectError, RemoteError, UserError
from cloudserve.project import Target
from cloudserve.testing.provider_steps import perform, plan, put

SCHEMAS = load("aiplatform", "v1").schemas
MODEL = "half"
NETWORK = "projects/12345/global/networks/inner"
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
SCALED = {"min_replicas": 1, "max_replicas": 3}
CONNECT = {"private_service_connect": {"projects": ["one", "two"]}}
REPLACED = ["deploy-model", "undeploy-model"]


@pytest.fixture
def make(bucket, vertex):
    """Give what makes the provider of one project with other fields."""
    common = {"bucket": f"gs://{bucket}", "project": f"p-{bucket}"}
    return lambda **fields: vertex(Target("gcp", "vertex", common | fields))


@pytest.fixture
def api(bucket, clouds):
    endpoint = clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    return VertexApi(f"p-{bucket}", "us-central1", endpoint, Access(clouds))


@pytest.fixture
def deployed(make, half_plus_two):
    """Give what deploys a model with more fields, and returns the kinds of the steps."""
    revisions = {}

    def deploy(**fields):
        provider = make(**fields)
        if not revisions:
            revisions[MODEL] = put(provider, MODEL, 1, half_plus_two)
        actions = plan(provider, MODEL, revisions[MODEL])
        perform(provider, actions)
        return [action.kind for action in actions]

    return deploy


def settings_of(provider):
    """Return the fields that `status` shows of the only revision."""
    (revision,) = provider.read(MODEL).deployment.revisions
    return dict(revision.settings)


@pytest.mark.parametrize(
    ("schema", "key", "change", "steps"),
    [
        ("AutoscalingMetricSpec", "metricName", SCALED | {"request_target": 90}, ["scale-model"]),
        ("DeployedModel", "serviceAccount", {"service_account": "a@p.iam"}, REPLACED),
        ("DeployedModel", "enableAccessLogging", {"access_logging": True}, REPLACED),
        (
            "DeployedModel",
            "disableExplanations",
            {"extra": {"deploy_model": {"disableExplanations": True}}},
            REPLACED,
        ),
        (
            "ModelContainerSpec",
            "sharedMemorySizeMb",
            {"extra": {"upload_model": {"containerSpec": {"sharedMemorySizeMb": "512"}}}},
            ["upload-version", "deploy-model", "undeploy-model", "set-aliases", "delete-version"],
        ),
        ("Endpoint", "labels", {"labels": {"team": "vision"}}, ["set-labels", "set-labels"]),
    ],
)
def test_a_field_reaches_the_service_and_status_and_a_change_of_it_is_planned(
    deployed, make, schema, key, change, steps
):
    assert key in SCHEMAS[f"GoogleCloudAiplatformV1{schema}"]["properties"]
    deployed()
    before = settings_of(make())
    assert deployed(**change) == steps
    shown = {name: value for name, value in change.items() if name != "extra"}
    assert settings_of(make()) == {**before, **shown}
    assert deployed(**change) == []


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("network", {"network": NETWORK}),
        ("privateServiceConnectConfig", CONNECT),
        ("encryptionSpec", {"kms_key": KEY}),
        (
            "clientConnectionConfig",
            {"extra": {"create_endpoint": {"clientConnectionConfig": {"inferenceTimeout": "9s"}}}},
        ),
    ],
)
def test_a_field_that_an_endpoint_keeps_for_life_is_shown_and_its_change_is_refused(
    deployed, make, api, key, field
):
    assert key in SCHEMAS["GoogleCloudAiplatformV1Endpoint"]["properties"]
    deployed(**field)
    shown = {name: value for name, value in field.items() if name != "extra"}
    assert settings_of(make(**field)).items() >= shown.items()
    assert key in api.endpoint(MODEL)
    assert deployed(**field) == []
    with pytest.raises(UserError, match=r"exists with another `.*`, which cannot be changed"):
        deployed()


def test_the_key_of_an_endpoint_is_also_that_of_its_model_versions(deployed, api):
    deployed(kms_key=KEY)
    (version,) = api.versions(MODEL)
    assert version["encryptionSpec"] == {"kmsKeyName": KEY}


@pytest.mark.parametrize("field", [{"network": NETWORK}, CONNECT])
def test_a_private_endpoint_answers_neither_this_command_nor_the_public_host(
    deployed, make, api, field
):
    deployed(**field)
    with pytest.raises(UserError, match="answers inside its network alone"):
        make(**field).predict(MODEL, b"{}")
    with pytest.raises(RemoteError, match="cannot be accessed through a public domain"):
        api.raw_predict(MODEL, "", b'{"instances": [1.0]}')


def test_an_endpoint_in_a_network_takes_one_model(deployed, make, api, half_plus_three):
    deployed(network=NETWORK)
    provider = make(network=NETWORK)
    second = put(provider, MODEL, 2, half_plus_three)
    with pytest.raises(ConflictError, match=r"takes one model, and v1-[0-9a-f]* is deployed"):
        plan(provider, MODEL, second)
    (deployed_model,) = api.endpoint(MODEL)["deployedModels"]
    again = {name: deployed_model[name] for name in ("model", "dedicatedResources")}
    with pytest.raises(RemoteError, match="such an endpoint supports one"):
        api.deploy(MODEL, {"deployedModel": again})


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"network": "default"}, "network", "with the project's number"),
        ({"network": NETWORK} | CONNECT, "private_service_connect", "are mutually exclusive"),
        ({"private_service_connect": {}}, "private_service_connect", "names no projects"),
        (
            {"private_service_connect": {"project": ["x"]}},
            "private_service_connect.project",
            "has no field `project`",
        ),
        (
            {"network": NETWORK, "dedicated_endpoint": True},
            "dedicated_endpoint",
            "no public host",
        ),
        ({"extra": {"deploy": {}}}, "extra.deploy", "has no request `deploy`"),
        (
            {"extra": {"deploy_model": {"serviceAccount": "x"}}},
            "extra.deploy_model.serviceAccount",
            "cloudserve sets `serviceAccount` of deploy_model",
        ),
        (
            {"extra": {"deploy_model": {"disableExplanation": True}}},
            "extra.deploy_model.disableExplanation",
            "is unknown",
        ),
        (
            {"extra": {"deploy_model": {"disableExplanations": "yes"}}},
            "extra.deploy_model.disableExplanations",
            "must be of the type boolean",
        ),
        (
            {"extra": {"create_endpoint": {"createTime": "now"}}},
            "extra.create_endpoint.createTime",
            "is an output field",
        ),
        ({"kms_key": "k"}, "kms_key", "expected projects/PROJECT/locations"),
        ({"kms_key": KEY, "region": "europe-west4"}, "kms_key", "the key is in us-central1"),
    ],
)
def test_contradictory_fields_are_refused_by_name(make, fields, field, sentence):
    with pytest.raises(ProjectError, match=sentence) as caught:
        make(**fields)
    assert caught.value.where.endswith(field)
