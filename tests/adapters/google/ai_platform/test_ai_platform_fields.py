"""A target's fields with `provider: ai-platform`: what becomes of them, and what is refused."""

from __future__ import annotations

import json

import pytest
from cloudserve.adapters.google.ai_platform.options import Options
from cloudserve.adapters.google.ai_platform.provider import create
from cloudserve.adapters.google.labels import version_labels

from cloudserve.errors import ModelError, UserError
from cloudserve.project import Target
from cloudserve.release.types import Artifact, Deployment, Location, Reading, Revision
from cloudserve.storage.events import Reporter
from tests.adapters.google.owned import model_labels

MODEL = "projects/p/models/half_plus"
REVISION = Revision(1, "0f3c5a9b7d21" + "e" * 52)
LOCATION = Location("gs://bucket", "cloudserve/x/", "half-plus", 1)
FIXED = {"framework": "TENSORFLOW", "runtimeVersion": "2.11", "pythonVersion": "3.7"}


@pytest.fixture
def provider_at(clouds):
    """Give what makes a provider of a service at a URL."""

    def make(url, **fields):
        values = {"bucket": "gs://bucket", "project": "p", "endpoint": url, **fields}
        return create(Target("gcp", "ai-platform", values), clouds)

    return make


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {"machineType": "n1-standard-2"}),
        (
            {"min_nodes": 2, "service_account": "a@p.iam", "runtime_version": "2.8"},
            {
                "machineType": "n1-standard-2",
                "runtimeVersion": "2.8",
                "autoScaling": {"minNodes": 2},
                "serviceAccount": "a@p.iam",
            },
        ),
        (
            {"max_nodes": 4, "cpu_target": 70, "gpu_target": 50, "machine_type": "n1-highmem-4"},
            {
                "machineType": "n1-highmem-4",
                "autoScaling": {
                    "maxNodes": 4,
                    "metrics": [
                        {"name": "CPU_USAGE", "target": 70},
                        {"name": "GPU_DUTY_CYCLE", "target": 50},
                    ],
                },
            },
        ),
        ({"nodes": 3}, {"machineType": "n1-standard-2", "manualScaling": {"nodes": 3}}),
        (
            {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1},
            {
                "machineType": "n1-standard-2",
                # int64 is a string in JSON (ml v1, AcceleratorConfig.count).
                "acceleratorConfig": {"type": "NVIDIA_TESLA_T4", "count": "1"},
            },
        ),
        (
            {"labels": {"team": "vision"}},
            {"machineType": "n1-standard-2", "labels": {"team": "vision"}},
        ),
    ],
)
def test_the_targets_fields_reach_the_platform(scripted, provider_at, lines, fields, wanted):
    done = json.dumps({"name": "projects/p/operations/create_1", "done": True}).encode()
    server = scripted(lambda request: (200, {"Content-Type": "application/json"}, done))
    provider = provider_at(server.url, **fields)
    observed = Deployment("half-plus", "gcp", endpoint=MODEL)
    (action,) = provider.plan_deploy(Reading(observed), REVISION, LOCATION)
    provider.perform(action, Reporter(lines.append))
    own = model_labels("half-plus") | version_labels(REVISION)
    labels = {**wanted.get("labels", {}), **own}
    assert json.loads(server.requests[0].body) == {
        "name": "v1_0f3c5a9b7d21",
        "deploymentUri": "gs://bucket/cloudserve/x/half-plus/1/",
        **FIXED,
        **wanted,
        "labels": labels,
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nodes": 2, "min_nodes": 1}, "`nodes` is a fixed number, `min_nodes` is for scaling"),
        ({"min_nodes": 3, "max_nodes": 2}, "`max_nodes` is below `min_nodes`"),
        (
            {"accelerator_type": "NVIDIA_TESLA_T4"},
            "`accelerator_type` and `accelerator_count` go together",
        ),
        (
            {
                "accelerator_type": "NVIDIA_TESLA_T4",
                "accelerator_count": 1,
                "machine_type": "mls1-c1-m2",
            },
            "mls1-c1-m2 takes no accelerator; n1 machines do",
        ),
        ({"framework": "XGBOOST"}, "`framework` cannot be `XGBOOST`"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields, message):
    target = Target("gcp", "ai-platform", {"bucket": "gs://bkt", "project": "p", **fields}, "f:1")
    with pytest.raises(UserError) as error:
        create(target, {})
    assert error.value.message.startswith(message)
    assert error.value.where.startswith("f:1.")


def test_variables_that_the_runtime_does_not_restore_are_refused_before_any_request(
    nobody, provider_at
):
    with pytest.raises(ModelError, match="Could not find variable dense/bias"):
        provider_at(nobody).check(Artifact("2.11.0", 10, 1, unrestored=("dense/bias",)))


def test_limits_are_reported_before_anything_is_sent(nobody, provider_at):
    provider = provider_at(nobody)
    assert provider.check(Artifact("2.11.0", 10, 1000)) == ()
    with pytest.raises(ModelError, match="which has no op `FFTND`"):
        provider.check(Artifact("2.21.0", 10, 1, ops=("Add", "FFTND")))
    gone = Artifact(
        "2.1.0", 10, 1, ops=("BoostedTreesBucketize",), kernel_ops=("BoostedTreesBucketize",)
    )
    with pytest.raises(ModelError, match="no kernel for the op `BoostedTreesBucketize`"):
        provider.check(gone)
    with pytest.raises(UserError, match="1,001 files; AI Platform takes 1,000"):
        provider.check(Artifact("2.11.0", 10, 1001))
    with pytest.raises(UserError, match="takes 10,000,000,000 on n1-standard-2"):
        provider.check(Artifact("2.11.0", 10**10 + 1, 1))
    with pytest.raises(UserError, match="takes 500,000,000 on mls1-c1-m2"):
        provider_at(nobody, machine_type="mls1-c1-m2").check(Artifact("2.11.0", 10**9, 1))


@pytest.mark.parametrize(
    ("machine", "host"),
    [("n1-standard-2", "https://europe-west4-ml"), ("mls1-c1-m2", "https://ml")],
)
def test_googles_own_host_is_the_one_that_has_the_machine(machine, host):
    fields = {"bucket": "gs://b", "project": "p", "region": "europe-west4", "endpoint": ""}
    assert Options(**fields, machine_type=machine).api_endpoint == f"{host}.googleapis.com"
