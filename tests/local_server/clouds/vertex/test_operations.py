"""Operations: how they take their time, are waited for, cancelled, listed and forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cloudserve.local_server.clouds.latency import Latency

from cloudserve.errors import UserError

MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}


class Slow:
    """Vertex AI with realistic latency on a clock of the test's."""

    def __init__(self, running, clock, vertex, poll) -> None:
        self.vertex = vertex
        self._running = running
        self._clock = clock
        self._poll = poll

    def advance(self, seconds: float) -> None:
        """Move the clock once somebody waits for it."""
        self._poll(lambda: self._clock.sleeping, bool)
        self._running._loop.call_soon_threadsafe(self._clock.advance, seconds)

    def finish(self, operation: dict, seconds: float) -> dict:
        self.advance(seconds)
        return self.vertex.finish(operation)


@pytest.fixture(scope="module")
def slow_emulator(new_emulator, new_clock, models):
    clock = new_clock()
    running = new_emulator(None, latency=Latency(clock, is_realistic=True))
    running.upload("models", "", models)
    yield running, clock
    running.stop()


@pytest.fixture
def slow(slow_emulator, connect, poll_until, fresh):
    running, clock = slow_emulator
    return Slow(running, clock, connect(running.url, fresh), poll_until)


def create_endpoint(vertex) -> dict:
    return vertex.endpoints.create(parent=vertex.parent, body={"displayName": "e"}).execute()


def upload(vertex) -> dict:
    model = {
        "displayName": "m",
        "artifactUri": "gs://models/double/1",
        "containerSpec": {"imageUri": "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"},
    }
    return vertex.models.upload(parent=vertex.parent, body={"model": model}).execute()


class TestLatency:
    def test_a_deployment_takes_minutes_and_serves_when_it_is_done(self, slow, refused):
        vertex = slow.vertex
        model = slow.finish(upload(vertex), 15)["response"]["model"]
        endpoint = slow.finish(create_endpoint(vertex), 5)["response"]["name"]
        body = {
            "deployedModel": {"model": model, "dedicatedResources": MACHINE},
            "trafficSplit": {"0": 100},
        }
        operation = vertex.endpoints.deployModel(endpoint=endpoint, body=body).execute()
        slow.advance(299)
        assert "done" not in vertex.operation(operation["name"])
        predict = vertex.endpoints.predict(endpoint=endpoint, body={"instances": [1.0]})
        assert refused(predict)[1] == "FAILED_PRECONDITION"
        assert "being deployed" in refused(vertex.models.delete(name=model))[2]
        ended = slow.finish(operation, 1)
        assert "response" in ended
        assert predict.execute()["predictions"] == [2.0]
        times = ended["metadata"]["genericMetadata"]
        taken = datetime.fromisoformat(times["updateTime"]) - datetime.fromisoformat(
            times["createTime"]
        )
        assert taken == timedelta(seconds=300)

    def test_a_deployment_reports_its_stages(self, slow, poll_until):
        vertex = slow.vertex
        model = slow.finish(upload(vertex), 15)["response"]["model"]
        endpoint = slow.finish(create_endpoint(vertex), 5)["response"]["name"]
        body = {"deployedModel": {"model": model, "dedicatedResources": MACHINE}}
        operation = vertex.endpoints.deployModel(endpoint=endpoint, body=body).execute()

        def stage(wanted: str) -> dict:
            return poll_until(
                lambda: vertex.operation(operation["name"]),
                lambda now: now["metadata"].get("deploymentStage") == wanted,
            )

        for name in (
            "STARTING_DEPLOYMENT",
            "PREPARING_MODEL",
            "CREATING_SERVING_CLUSTER",
            "ADDING_NODES_TO_CLUSTER",
            "GETTING_CONTAINER_IMAGE",
            "STARTING_MODEL_SERVER",
            "FINISHING_UP",
        ):
            assert "done" not in stage(name)
            slow.advance(300 / 7 + 0.001)
        assert stage("SUCCESSFULLY_DEPLOYED")["done"] is True

    def test_ai_platform_takes_its_time_too(self, slow_emulator, slow, poll_until):
        running, _ = slow_emulator
        ml = running.ml()
        ml.projects().models().create(parent="projects/p", body={"name": "m"}).execute()
        body = {
            "name": "v1",
            "deploymentUri": "gs://models/double/1",
            "runtimeVersion": "2.11",
            "pythonVersion": "3.7",
        }
        versions = ml.projects().models().versions()
        versions.create(parent="projects/p/models/m", body=body).execute()
        get = versions.get(name="projects/p/models/m/versions/v1")
        slow.advance(89)
        assert get.execute()["state"] == "CREATING"
        slow.advance(1)
        poll_until(get.execute, lambda version: version["state"] == "READY")
        ml.close()

    def test_there_are_two_latencies(self):
        assert not Latency.named("instant").is_realistic
        assert Latency.named("realistic").is_realistic
        with pytest.raises(UserError, match="no latency named 'slow'"):
            Latency.named("slow")


class TestCancelling:
    def test_a_cancelled_operation_ends_cancelled_and_leaves_nothing(self, slow):
        vertex = slow.vertex
        operation = create_endpoint(vertex)
        assert vertex.call("POST", f"{operation['name']}:cancel") == (200, {})
        ended = vertex.finish(operation)
        assert ended["error"] == {"code": 1, "message": "The operation was cancelled."}
        assert vertex.endpoints.list(parent=vertex.parent).execute() == {}

    def test_a_job_that_waits_for_machines_is_cancelled(self, slow, poll_until):
        vertex = slow.vertex
        model = slow.finish(upload(vertex), 15)["response"]["model"]
        body = {
            "displayName": "job",
            "model": model,
            "inputConfig": {
                "instancesFormat": "jsonl",
                "gcsSource": {"uris": ["gs://models/none"]},
            },
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": "gs://models/out"},
            },
            "dedicatedResources": {"machineSpec": {"machineType": "n1-standard-2"}},
        }
        job = vertex.jobs.create(parent=vertex.parent, body=body).execute()
        vertex.jobs.cancel(name=job["name"], body={}).execute()
        get = vertex.jobs.get(name=job["name"])
        ended = poll_until(get.execute, lambda state: "endTime" in state)
        assert ended["state"] == "JOB_STATE_CANCELLED"
        assert ended["error"]["code"] == 1

    def test_a_finished_operation_does_not_change(self, vertex):
        done = vertex.finish(create_endpoint(vertex))
        assert vertex.call("POST", f"{done['name']}:cancel") == (200, {})
        assert vertex.operation(done["name"]) == done


class TestWaiting:
    def test_a_wait_ends_with_the_operation(self, vertex):
        name = create_endpoint(vertex)["name"]
        status, answer = vertex.call("POST", f"{name}:wait?timeout=30s")
        assert status == 200
        assert answer["done"] is True

    def test_a_wait_ends_at_its_timeout(self, slow):
        operation = create_endpoint(slow.vertex)
        status, answer = slow.vertex.call("POST", f"{operation['name']}:wait?timeout=0s")
        assert status == 200
        assert "done" not in answer

    def test_an_invalid_timeout_is_refused(self, vertex):
        name = create_endpoint(vertex)["name"]
        assert vertex.call("POST", f"{name}:wait?timeout=soon")[0] == 400


class TestKeeping:
    def test_operations_are_listed_below_their_resource(self, vertex):
        endpoint = vertex.create_endpoint()
        status, answer = vertex.call("GET", f"{endpoint}/operations")
        assert status == 200
        (operation,) = answer["operations"]
        assert operation["response"]["name"] == endpoint
        assert operation["metadata"]["@type"] == (
            "type.googleapis.com/google.cloud.aiplatform.v1.CreateEndpointOperationMetadata"
        )

    def test_clients_over_gapic_poll_below_ui(self, vertex):
        name = create_endpoint(vertex)["name"]
        status, answer = vertex.call("GET", f"../ui/{name}?%24alt=json%3Benum-encoding%3Dint")
        assert (status, answer["name"]) == (200, name)

    def test_a_done_operation_can_be_forgotten(self, vertex):
        name = vertex.finish(create_endpoint(vertex))["name"]
        assert vertex.call("DELETE", name) == (200, {})
        assert vertex.call("GET", name)[0] == 404

    def test_a_running_operation_cannot_be_deleted(self, slow):
        name = create_endpoint(slow.vertex)["name"]
        status, answer = slow.vertex.call("DELETE", name)
        assert (status, answer["error"]["status"]) == (400, "FAILED_PRECONDITION")
