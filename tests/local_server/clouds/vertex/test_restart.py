"""What was uploaded, deployed and begun is there after the emulator was started again."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import requests
from cloudserve.local_server.clouds.latency import Latency

MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
SERVE = """
import asyncio, sys
from pathlib import Path
from cloudserve.local_server.clouds.emulator import Emulator
from cloudserve.local.servers import EmulateCommand

async def serve():
    emulator = Emulator(EmulateCommand(Path(sys.argv[1]), latency=sys.argv[2]))
    await emulator.start()
    print(emulator.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


class Killed:
    """An emulator in a process of its own, made to die."""

    def __init__(self, data, latency: str = "instant") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(data), latency], stdout=subprocess.PIPE, text=True
        )
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture
def bucket_of(clouds, models):
    """Give a function that puts the models into another emulator's bucket."""

    def fill(url: str) -> None:
        client = type(clouds).__new__(type(clouds))
        client.url = url
        client.upload("models", "", models)

    return fill


def test_deployed_models_serve_again_after_a_kill(
    tmp_path, connect, bucket_of, start_emulator, poll_until
):
    first = Killed(tmp_path)
    bucket_of(first.url)
    before = connect(first.url)
    model = before.upload()["name"]
    before.upload("gs://models/triple/2", parent=model, versionAliases=["prod"])
    endpoint = before.create_endpoint(dedicatedEndpointEnabled=False)
    stable = before.deploy(endpoint, model, {"0": 100})
    before.deploy(endpoint, f"{model}@prod", {"0": 0, stable: 100})
    shown = before.endpoints.get(name=endpoint).execute()
    listed = before.models.listVersions(name=model).execute()
    first.kill()

    after = connect(start_emulator(tmp_path).url)
    # Until they are loaded, the deployments say that no replica is available.
    poll_until(after.endpoints.get(name=endpoint).execute, lambda record: record == shown)
    assert after.models.listVersions(name=model).execute() == listed
    predict = after.endpoints.predict(endpoint=endpoint, body={"instances": [1.0]})
    assert predict.execute()["predictions"] == [2.0]
    body = {"trafficSplit": {d["id"]: 50 for d in shown["deployedModels"]}}
    patch = after.endpoints.patch(name=endpoint, body=body, updateMask="trafficSplit")
    assert patch.execute()["trafficSplit"] == body["trafficSplit"]


def test_operations_and_jobs_that_a_kill_interrupted_are_performed(
    tmp_path, connect, bucket_of, start_emulator, poll_until
):
    """With realistic latency everything is under way when the process dies."""
    first = start_emulator(tmp_path)
    bucket_of(first.url)
    before = connect(first.url)
    model = before.upload()["name"]
    endpoint = before.create_endpoint()
    first.stop()

    second = Killed(tmp_path, "realistic")
    slow = connect(second.url)
    body = {
        "deployedModel": {"model": model, "dedicatedResources": MACHINE},
        "trafficSplit": {"0": 100},
    }
    deploy = slow.endpoints.deployModel(endpoint=endpoint, body=body).execute()
    request = {
        "model": {
            "displayName": "n",
            "containerSpec": {"imageUri": "gcr.io/p/serving"},
        }
    }
    request["model"]["artifactUri"] = "gs://models/triple/2"
    upload = slow.models.upload(parent=slow.parent, body=request).execute()
    job_body = {
        "displayName": "job",
        "model": model,
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://models/in"]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": "gs://models/out"},
        },
        "dedicatedResources": {"machineSpec": {"machineType": "n1-standard-2"}},
    }
    job = slow.jobs.create(parent=slow.parent, body=job_body).execute()
    cancelled = slow.jobs.create(parent=slow.parent, body=job_body).execute()
    slow.jobs.cancel(name=cancelled["name"], body={}).execute()
    assert "done" not in slow.operation(deploy["name"])
    url = f"{second.url}/upload/storage/v1/b/models/o?uploadType=media&name=in"
    assert requests.post(url, data=b"5\n", timeout=60).status_code == 200
    second.kill()

    after = connect(start_emulator(tmp_path).url)
    assert "response" in after.finish(deploy)
    uploaded = after.finish(upload)["response"]["model"]
    assert after.models.get(name=uploaded).execute()["displayName"] == "n"
    predict = after.endpoints.predict(endpoint=endpoint, body={"instances": [1.0]})
    assert predict.execute()["predictions"] == [2.0]
    for name, state in ((job, "JOB_STATE_SUCCEEDED"), (cancelled, "JOB_STATE_CANCELLED")):
        get = after.jobs.get(name=name["name"])
        ended = poll_until(get.execute, lambda record: "endTime" in record)
        assert ended["state"] == state


def test_copies_that_no_version_uses_are_removed_at_the_start(tmp_path, start_emulator):
    orphan = tmp_path / "vertex" / "123"
    (tmp_path / "clouds.db").touch()
    orphan.mkdir(parents=True)
    (orphan / "saved_model.pb").write_bytes(b"")
    start_emulator(tmp_path, latency=Latency())
    assert not orphan.exists()


def test_a_stop_with_operations_under_way_is_prompt_and_keeps_them(
    tmp_path, connect, start_emulator
):
    first = start_emulator(tmp_path, latency=Latency.named("realistic"))
    client = connect(first.url)
    body = {"displayName": "e"}
    operation = client.endpoints.create(parent=client.parent, body=body).execute()
    first.stop()
    after = connect(start_emulator(tmp_path).url)
    assert "response" in after.finish(operation)
