"""What an undeployment removes on the offline AI Platform, and what it leaves alone."""

from __future__ import annotations

import pytest
from cloudserve.adapters.google.ai_platform.api import MlClient
from cloudserve.adapters.google.ai_platform.provider import create
from cloudserve.adapters.google.credentials import Access

from cloudserve.errors import ConflictError
from cloudserve.project import Target
from cloudserve.testing.provider_steps import live, perform, plan, promote, put, removal

MODEL = "half-plus"
NAME = "half_plus"


@pytest.fixture
def provider(bucket, clouds):
    fields = {"bucket": f"gs://{bucket}", "project": f"p-{bucket}"}
    return create(Target("gcp", "ai-platform", fields), clouds)


@pytest.fixture
def ml(bucket, clouds):
    return MlClient(f"p-{bucket}", clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"], Access(clouds))


@pytest.fixture
def deploy(provider, half_plus_two):
    def deploy(number):
        revision = put(provider, MODEL, number, half_plus_two)
        perform(provider, plan(provider, MODEL, revision))
        return revision

    return deploy


def add_by_hand(ml):
    """Make a version that has none of our labels."""
    (ours, *_) = ml.list_versions(NAME)
    kept = ("deploymentUri", "runtimeVersion", "machineType", "framework", "pythonVersion")
    body = {"name": "theirs", **{key: ours[key] for key in kept if key in ours}}
    operation = ml.create_version(NAME, body)
    while not operation.get("done"):
        operation = ml.operation(operation["name"])
    assert "error" not in operation


def test_the_default_version_goes_last_and_the_model_after_it(provider, ml, deploy):
    one, two = deploy(1), deploy(2)
    promote(provider, MODEL, two)
    actions = removal(provider, MODEL)
    names = [revision.id.replace("-", "_") for revision in (one, two)]
    assert [action.sentence for action in actions] == [
        *(f"delete the version {NAME}/{name}" for name in names),
        f"delete the model {NAME}",
    ]
    perform(provider, actions)
    assert ml.get_model(NAME) is None


def test_a_version_of_somebody_elses_keeps_its_model(provider, ml, deploy):
    one, two = deploy(1), deploy(2)
    add_by_hand(ml)
    perform(provider, removal(provider, MODEL, two))
    with pytest.raises(ConflictError) as caught:
        removal(provider, MODEL)
    assert caught.value.message == (
        f"{one.id} is the default version, and theirs of the model {NAME} are not cloudserve's"
    )
    assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
    ml.set_default(NAME, "theirs")
    perform(provider, removal(provider, MODEL))
    assert [version["name"].rpartition("/")[2] for version in ml.list_versions(NAME)] == ["theirs"]
