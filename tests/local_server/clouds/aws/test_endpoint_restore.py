"""An endpoint of an earlier process while it is being reloaded."""

from __future__ import annotations

import asyncio

import pytest
from cloudserve.local_server.clouds.aws.cloudwatch_alarms import Alarms
from cloudserve.local_server.clouds.aws.sagemaker.deployments import DeploymentError
from cloudserve.local_server.clouds.aws.sagemaker.endpoints import Endpoints
from cloudserve.local_server.clouds.aws.sagemaker.records import CONFIG, ENDPOINT, MODEL, Records
from cloudserve.local_server.clouds.aws.sagemaker.rollout import Rollout
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
        if deployment["id"] == SERVED:
            raise DeploymentError("the model data is gone")

    async def unload(self, deployment) -> None:
        """Do nothing: the test's deployments are empty."""

    async def is_healthy(self, deployment) -> bool:
        return deployment["id"] != SERVED


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
    endpoint = {"EndpointStatus": "InService", "_serving": served, "_pending": None}
    records.create(ENDPOINT, REGION, "e", endpoint, [])
    yield records
    resources.close()


def restored(records, meanwhile) -> dict | None:
    """Restore the endpoint, call an operation during the load, and return its final document."""

    async def scenario() -> dict | None:
        loader, work = LostModels(), BackgroundTasks()
        alarms = Alarms(records.resources, records.now)
        rollout = Rollout(records, loader, alarms, INSTANT)
        endpoints = Endpoints(records, loader, alarms, work, rollout, INSTANT)
        endpoints.restore()
        await asyncio.sleep(0)
        meanwhile(endpoints)
        loader.go_on.set()
        await work.settled(f"arn:aws:sagemaker:{REGION}:000000000000:endpoint/e")
        await work.close()
        return records.find(ENDPOINT, REGION, "e")

    return asyncio.run(scenario())


def test_one_that_does_not_load_is_failed(records):
    endpoint = restored(records, lambda _: None)
    assert endpoint["EndpointStatus"] == "Failed"
    assert endpoint["FailureReason"] == "the model data is gone"


def test_an_update_asked_for_meanwhile_is_carried_out(records):
    asked = {"EndpointName": "e", "EndpointConfigName": "c"}
    endpoint = restored(records, lambda endpoints: endpoints.update(REGION, asked))
    assert (endpoint["EndpointStatus"], endpoint["_pending"]) == ("InService", None)
    assert endpoint["_serving"]["id"] != SERVED
    assert "FailureReason" not in endpoint


def test_a_deletion_requested_during_the_reload_is_carried_out(records):
    assert restored(records, lambda e: e.delete(REGION, {"EndpointName": "e"})) is None


def test_an_unfinished_rollback_is_finished(records):
    served = records.stored(ENDPOINT, REGION, "e")
    rolling = {
        "EndpointStatus": "RollingBack",
        "FailureReason": "an alarm went off",
        "_pending": {"id": "new", "variants": []},
        "_share": 0.5,
    }
    records.put(ENDPOINT, REGION, served | rolling | {"_serving": served["_serving"] | {"id": "x"}})
    endpoint = restored(records, lambda _: None)
    assert (endpoint["EndpointStatus"], endpoint["FailureReason"]) == (
        "InService",
        "an alarm went off",
    )
    assert (endpoint["_pending"], endpoint["_share"]) == (None, 0.0)
