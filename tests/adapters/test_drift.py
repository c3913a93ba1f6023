"""Changes by hand on each platform, as `cloudserve diff --target` shows them."""

from __future__ import annotations

import boto3
import pytest
from cloudserve.adapters.google.ai_platform.api import MlClient
from cloudserve.adapters.google.credentials import Access
from cloudserve.adapters.google.vertex.api import VertexApi

from cloudserve.release.inspection.drift import Drift
from tests.adapters.test_collections import TARGETS, make, versions

__all__ = ["make", "versions"]  # fixtures

SLOW = pytest.mark.slow


def drifts(releases):
    return list(releases.drift().drifts)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=SLOW if kind == "serverless" else ()) for kind in TARGETS]
)
def test_nothing_differs_after_releases(make, kind):
    releases, _ = make(kind, 1, 2)
    assert drifts(releases) == []
    releases.rollback()
    assert drifts(releases) == []
    releases.undeploy(everything=True)
    assert drifts(releases) == []


def test_changes_of_a_sagemaker_endpoint(make, clouds):
    releases, fields = make("sagemaker", 1, 2, env={"LEVEL": "1"})
    client = boto3.client(
        "sagemaker",
        region_name=fields["region"],
        endpoint_url=clouds["AWS_ENDPOINT_URL"],
        aws_access_key_id=clouds["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=clouds["AWS_SECRET_ACCESS_KEY"],
    )
    one, two = sorted(d.revision.id for d in releases.status().revisions)
    config = client.describe_endpoint(EndpointName="half")["EndpointConfigName"]
    variants = client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    for variant in variants:
        variant["InstanceType"] = "ml.c5.xlarge"
        variant["InitialVariantWeight"] = 1.0
    client.create_endpoint_config(EndpointConfigName="by-hand", ProductionVariants=variants)
    client.update_endpoint(EndpointName="half", EndpointConfigName="by-hand")
    client.get_waiter("endpoint_in_service").wait(EndpointName="half", WaiterConfig={"Delay": 1})
    client.update_endpoint_weights_and_capacities(
        EndpointName="half",
        DesiredWeightsAndCapacities=[{"VariantName": two, "DesiredInstanceCount": 3}],
    )
    client.get_waiter("endpoint_in_service").wait(EndpointName="half", WaiterConfig={"Delay": 0.05})
    differences = drifts(releases)
    assert Drift(f"traffic of {one}", ledger="0 %", platform="50 %") in differences
    assert Drift(f"traffic of {two}", ledger="100 %", platform="50 %") in differences
    machines = {"project": "ml.m5.large", "platform": "ml.c5.xlarge"}
    assert Drift(f"instance_type of {one}", **machines) in differences
    assert Drift(f"instance_count of {two}", project="1", platform="3") in differences
    assert len(differences) == 5
    client.delete_endpoint(EndpointName="half")
    client.get_waiter("endpoint_deleted").wait(EndpointName="half", WaiterConfig={"Delay": 1})
    assert drifts(releases) == [
        Drift("endpoint", ledger="exists", platform="deleted"),
        Drift(f"traffic of {two}", ledger="100 %", platform="0 %"),
    ]


def test_changes_of_the_project_file_for_sagemaker(make, clouds):
    releases, _ = make("sagemaker", 1, env={"LEVEL": "1"})
    options = releases._provider._aws.options
    object.__setattr__(options, "env", {"LEVEL": "2", "MORE": "x"})
    object.__setattr__(options, "instance_count", 2)
    (one,) = (d.revision.id for d in releases.status().revisions)
    assert drifts(releases) == [
        Drift(f"instance_count of {one}", project="2", platform="1"),
        Drift(f"environment variable LEVEL of {one}", project="set", platform="another value"),
        Drift(f"environment variable MORE of {one}", project="set"),
    ]


def test_changes_of_a_vertex_endpoint(make, clouds):
    releases, fields = make("vertex", 1, 2)
    url = clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    api = VertexApi(fields["project"], "us-central1", url, Access(clouds))
    one, two = sorted(d.revision.id for d in releases.status().revisions)
    placed = releases._read().snapshot.endpoint.placed
    split = {p.id: 30 if p.revision == one else 70 for p in placed}
    api.patch_endpoint("half", "trafficSplit", {"trafficSplit": split})
    live = next(p for p in placed if p.revision == two)
    body = {"id": live.id, "dedicatedResources": {"minReplicaCount": 1, "maxReplicaCount": 3}}
    operation = api.mutate(
        "half", {"deployedModel": body, "updateMask": "dedicatedResources.maxReplicaCount"}
    )
    while not operation.get("done"):
        operation = api.operation(operation["name"])
    assert drifts(releases) == [
        Drift(f"traffic of {one}", ledger="0 %", platform="30 %"),
        Drift(f"traffic of {two}", ledger="100 %", platform="70 %"),
        Drift(f"max_replicas of {two}", project="1", platform="3"),
    ]


def test_changes_of_an_ai_platform_model(make, clouds):
    releases, fields = make("ai-platform", 1, 2)
    ml = MlClient(fields["project"], clouds["CLOUDSDK_API_ENDPOINT_OVERRIDES_ML"], Access(clouds))
    one, two = sorted(d.revision.id for d in releases.status().revisions)
    ml.set_default("half", one.replace("-", "_"))
    assert drifts(releases) == [
        Drift(f"traffic of {one}", ledger="0 %", platform="100 %"),
        Drift(f"traffic of {two}", ledger="100 %", platform="0 %"),
    ]
