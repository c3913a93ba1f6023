"""`diff --target` on Vertex AI: each field of the target that Vertex AI shows is compared."""

from __future__ import annotations

from dataclasses import fields

import pytest
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi
from cloudserve.adapters.google.vertex.fields.options import Options

from cloudserve.project import Target
from cloudserve.release.inspection.drift import Setting
from cloudserve.testing.provider_steps import perform, plan, put

MODEL = "half"
IMAGE = "us-docker.pkg.dev/p/r/tensorflow-serving:2.19"
NETWORK = "projects/12345/global/networks/inner"
KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
SHARED_MEMORY = {"containerSpec": {"sharedMemorySizeMb": "512"}}
TIMEOUT = {"clientConnectionConfig": {"inferenceTimeout": "9s"}}
CHANGES = [
    {"image": f"{IMAGE}.1"},
    {"args": "--port=1"},
    {"port": 8501},
    {"predict_route": "/p"},
    {"health_route": "/h"},
    {"machine_type": "n1-standard-4"},
    {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1},
    {"spot": True},
    {"min_replicas": 2, "max_replicas": 3},
    {"max_replicas": 3, "cpu_target": 70, "request_target": 90},
    {"max_replicas": 3, "gpu_target": 60, "accelerator_type": "NVIDIA_TESLA_T4"},
    {"service_account": "a@p.iam"},
    {"access_logging": True},
    {"container_logging": False},
    {"dedicated_endpoint": True},
    {"network": NETWORK},
    {"kms_key": KEY},
]
NAMED = {
    "env": ({"env": {"LEVEL": "2"}}, {"environment variable LEVEL"}),
    "labels": ({"labels": {"team": "vision"}}, {"label team"}),
    "connect": (
        {"private_service_connect": {"projects": ["one"]}},
        {"private_service_connect.projects"},
    ),
    "model": (
        {"extra": {"upload_model": SHARED_MEMORY}},
        {"extra.upload_model.containerSpec.sharedMemorySizeMb"},
    ),
    "deployed": (
        {"extra": {"deploy_model": {"disableExplanations": True}}},
        {"extra.deploy_model.disableExplanations"},
    ),
    "endpoint": (
        {"extra": {"create_endpoint": TIMEOUT}},
        {"extra.create_endpoint.clientConnectionConfig.inferenceTimeout"},
    ),
}
NOT_SHOWN = {
    "bucket",  # the owner of the resources
    "project",
    "region",
    "endpoint_name",
    "endpoint",
    "tensorflow_version",  # compared as its image
    "rehearse",
    "keep_idle",  # what a promotion leaves deployed
    "approval_alias",
    "timeout_seconds",
}


@pytest.fixture
def make(bucket, vertex):
    """Give what makes the provider of one project with other fields."""
    common = {"bucket": f"gs://{bucket}", "project": f"p-{bucket}", "image": IMAGE}
    return lambda **fields: vertex(Target("gcp", "vertex", common | fields))


@pytest.fixture
def deployed(half_plus_two):
    """Give what deploys a model and returns its revision."""

    def deploy(provider):
        revision = put(provider, MODEL, 1, half_plus_two)
        perform(provider, plan(provider, MODEL, revision))
        return revision

    return deploy


def rows(provider):
    return provider.settings(provider.read(MODEL))


def names(provider):
    return {row.what.partition(" of ")[0] for row in rows(provider)}


def test_every_field_is_compared_or_known_not_to_be_shown():
    compared = {name for change in CHANGES for name in change}
    compared |= {name for change, _ in NAMED.values() for name in change}
    assert compared | NOT_SHOWN == {field.name for field in fields(Options)}
    assert not compared & NOT_SHOWN


def test_each_field_that_the_project_file_changes_is_a_row(make, deployed):
    deployed(make())
    assert rows(make()) == ()
    differing = {tuple(change): names(make(**change)) for change in CHANGES}
    assert {change: set(change) - fields for change, fields in differing.items()} == {
        change: set() for change in differing
    }
    assert {key: names(make(**change)) for key, (change, _) in NAMED.items()} == {
        key: fields for key, (_, fields) in NAMED.items()
    }


def test_a_64_bit_number_may_be_written_as_a_number(make, deployed):
    """Google's parser takes both forms, and Vertex AI shows the string."""
    memory = {"extra": {"upload_model": {"containerSpec": {"sharedMemorySizeMb": 512}}}}
    deployed(make(**memory))
    assert rows(make(**memory)) == ()
    memory["extra"]["upload_model"]["containerSpec"]["sharedMemorySizeMb"] = 256
    assert names(make(**memory)) == {"extra.upload_model.containerSpec.sharedMemorySizeMb"}


def test_each_field_that_vertex_has_and_the_project_file_has_not_is_a_row(make, deployed):
    has = {
        "env": {"LEVEL": "2"},
        "max_replicas": 3,
        "request_target": 90,
        "access_logging": True,
        "container_logging": False,
        "private_service_connect": {"projects": ["two", "one"]},
        "kms_key": KEY,
        "labels": {"team": "vision"},
        "extra": {"deploy_model": {"disableExplanations": True}, "create_endpoint": TIMEOUT},
    }
    deployed(make(**has))
    assert rows(make(**has)) == ()
    # Nothing tells that a label was the target's: `label team` is no row.
    assert names(make()) == {
        "access_logging",
        "container_logging",
        "environment variable LEVEL",
        "extra.create_endpoint",
        "extra.deploy_model",
        "kms_key",
        "max_replicas",
        "private_service_connect.projects",
        "request_target",
    }


def test_labels_that_were_changed_by_hand_are_rows(make, deployed, bucket, clouds):
    provider = make(labels={"team": "vision", "stage": "prod"})
    one = deployed(provider)
    endpoint = clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    api = VertexApi(f"p-{bucket}", "us-central1", endpoint, Access(clouds))
    labels = api.endpoint(MODEL)["labels"]
    del labels["stage"]
    labels |= {"team": "speech", "billed-by": "finance"}
    api.patch_endpoint(MODEL, "labels", {"labels": labels})
    assert set(rows(provider)) == {
        Setting("label stage of the endpoint half", "prod", "-"),
        Setting("label team of the endpoint half", "vision", "speech"),
    }
    assert [action.kind for action in plan(provider, MODEL, one)] == ["set-labels"]
