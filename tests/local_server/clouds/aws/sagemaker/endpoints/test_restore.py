"""An endpoint of an earlier process while it is being reloaded."""

from __future__ import annotations

import asyncio

import pytest
from cloudserve.local_server.clouds.aws.cloudwatch.metric_store import MetricStore
from cloudserve.local_server.clouds.aws.cloudwatch_alarms import Alarms
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.deployments import (
    Deployment,
    DeploymentError,
    Variant,
)
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.endpoints import Endpoints
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.rollout import Rollout
from cloudserve.local_server.clouds.aws.sagemaker.endpoints.table import Endpoint, EndpointTable
from cloudserve.local_server.clouds.aws.sagemaker.records import CONFIG, ENDPOINT, MODEL, Records
from cloudserve.local_server.clouds.background_tasks import BackgroundTasks
from cloudserve.local_server.clouds.latency import INSTANT
from cloudserve.local_server.clouds.resources import Resources

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:1"

REGION = "us-east-1"
SERVED = "served"


class LostModels:
    """A container pool whose load fails when the test says so."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def load(self, deployment) -> None:
        await self.go_on.wait()
        if deployment.id == SERVED:
            raise DeploymentError("the model data is gone")

    async def unload(self, deployment) -> None:
        """Do nothing: the test's deployments are empty."""

    async def is_healthy(self, deployment) -> bool:
        return deployment.id != SERVED


@pytest.fixture
def records(tmp_path):
    """Provide records of an endpoint `e` that served a model when its process was killed."""
    resources = Resources(tmp_path / "clouds.db")
    records = Records(resources)
    records.create(
        MODEL,
        REGION,
        "m",
        {"PrimaryContainer": {"Image": IMAGE}},
        [],
    )
    variant = {
        "VariantName": "v",
        "ModelName": "m",
        "InitialVariantWeight": 1.0,
        "InitialInstanceCount": 1,
    }
    config = {"EndpointConfigName": "c", "ProductionVariants": [variant]}
    records.create(CONFIG, REGION, "c", config, [])
    served = {"id": SERVED, "config": "c", "created": 0.0, "variants": []}
    endpoint = {
        "EndpointConfigName": "c",
        "EndpointStatus": "InService",
        "LastModifiedTime": 0.0,
        "_serving": served,
        "_pending": None,
    }
    records.create(ENDPOINT, REGION, "e", endpoint, [])
    yield records
    resources.close()


def restored(records, meanwhile) -> Endpoint | None:
    """Restore the endpoint, call an operation during the load, and return its final state."""

    async def scenario() -> Endpoint | None:
        loader, work = LostModels(), BackgroundTasks()
        alarms = Alarms(records.resources, MetricStore(records.now), INSTANT.clock)
        rollout = Rollout(records, loader, alarms, INSTANT)
        endpoints = Endpoints(records, loader, alarms, work, rollout, INSTANT)
        endpoints.restore()
        await asyncio.sleep(0)
        meanwhile(endpoints)
        loader.go_on.set()
        await work.settled(f"arn:aws:sagemaker:{REGION}:000000000000:endpoint/e")
        await work.close()
        return EndpointTable(records).find(REGION, "e")

    return asyncio.run(scenario())


def test_an_endpoint_whose_model_does_not_load_is_failed(records):
    endpoint = restored(records, lambda _: None)
    assert (endpoint.status, endpoint.failure) == ("Failed", "the model data is gone")


def test_an_update_requested_in_the_meantime_is_carried_out(records):
    request = {"EndpointName": "e", "EndpointConfigName": "c"}
    endpoint = restored(records, lambda endpoints: endpoints.update(REGION, request))
    assert (endpoint.status, endpoint.pending, endpoint.failure) == ("InService", None, None)
    assert endpoint.serving.id != SERVED


def test_a_deletion_requested_during_the_reload_is_carried_out(records):
    assert restored(records, lambda e: e.delete(REGION, {"EndpointName": "e"})) is None


def test_an_unfinished_rollback_is_finished(records):
    served = records.stored(ENDPOINT, REGION, "e")
    rolling = {
        "EndpointStatus": "RollingBack",
        "FailureReason": "an alarm went off",
        "_pending": {"id": "new", "config": "c", "created": 1.0, "variants": []},
        "_share": 0.5,
    }
    records.put(ENDPOINT, REGION, served | rolling | {"_serving": served["_serving"] | {"id": "x"}})
    endpoint = restored(records, lambda _: None)
    assert (endpoint.status, endpoint.failure) == ("InService", "an alarm went off")
    assert (endpoint.pending, endpoint.share) == (None, 0.0)


def test_an_unfinished_change_of_weights_is_finished(records):
    served = records.stored(ENDPOINT, REGION, "e")
    variant = {"name": "v", "weight": 1.0, "count": 1, "container": {"Image": IMAGE}}
    changing = {
        "EndpointStatus": "Updating",
        "_serving": served["_serving"] | {"id": "x", "variants": [variant]},
        "_changes": [{"VariantName": "v", "DesiredWeight": 0.5}],
    }
    records.put(ENDPOINT, REGION, served | changing)
    endpoint = restored(records, lambda e: e.describe(REGION, {"EndpointName": "e"}))
    assert (endpoint.status, endpoint.changes) == ("InService", [])
    assert endpoint.serving.variants[0].weight == 0.5


def test_an_endpoint_of_an_older_data_folder_is_read(records):
    old = {
        "EndpointConfigName": "c",
        "EndpointStatus": "InService",
        "LastModifiedTime": 1.5,
        "_serving": {
            "id": "i",
            "config": "c",
            "created": 1,
            "variants": [
                {
                    "name": "v",
                    "weight": 1,
                    "count": 2,
                    "serverless": None,
                    "container": {"Image": IMAGE},
                }
            ],
            "async": {"OutputConfig": {"S3OutputPath": "s3://b/out"}},
        },
        "_pending": None,
        "_share": 0.0,
        "_phase": None,
    }
    records.create(ENDPOINT, REGION, "old", old, [])
    endpoint = EndpointTable(records).read(REGION, "old")
    variant = Variant(name="v", weight=1.0, count=2, container={"Image": IMAGE})
    assert endpoint.serving == Deployment(
        id="i",
        config="c",
        created=1.0,
        variants=[variant],
        asynchronous={"OutputConfig": {"S3OutputPath": "s3://b/out"}},
    )
    assert (variant.region, endpoint.serving.instances) == (REGION, 2)
    assert "_serving" not in endpoint.shown()
