"""What was deployed is there after the emulator was killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from googleapiclient.errors import HttpError

SERVE = """
import asyncio, sys
from pathlib import Path
from cloudserve.local_server.clouds.emulator import Emulator
from cloudserve.local.servers import EmulateCommand

async def serve():
    emulator = Emulator(EmulateCommand(Path(sys.argv[1])))
    await emulator.start()
    print(emulator.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu-py312"
ROLE = "arn:aws:iam::000000000000:role/serving"
SETTINGS = {"runtimeVersion": "2.11", "pythonVersion": "3.7"}


class Killed:
    """An emulator in a process of its own, made to die."""

    def __init__(self, data) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(data)], stdout=subprocess.PIPE, text=True
        )
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()


def create_version(ml, name: str, uri: str) -> dict:
    body = {"name": name, "deploymentUri": uri} | SETTINGS
    parent = "projects/p/models/m"
    return ml.projects().models().versions().create(parent=parent, body=body).execute()


def create_endpoint(sm, name: str, uri: str) -> None:
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}}
    sm.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {
        "VariantName": "main",
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    sm.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sm.create_endpoint(EndpointName=name, EndpointConfigName=name)


def in_service(sm, name: str):
    return lambda: sm.describe_endpoint(EndpointName=name)


def test_everything_serves_again_after_a_kill_and_lost_models_are_reported(
    clouds, models, tmp_path, start_emulator, poll_until
):
    first = Killed(tmp_path)
    client = type(clouds).__new__(type(clouds))
    client.url = first.url
    client.upload("bucket", "", models)
    client.upload("bucket", "lost/", models)
    ml, sm = client.ml(), client.aws("sagemaker")
    ml.projects().models().create(parent="projects/p", body={"name": "m"}).execute()
    for name, uri in (("v1", "gs://bucket/double/1"), ("lost", "gs://bucket/lost/double/1")):
        operation = create_version(ml, name, uri)
        get = ml.projects().operations().get(name=operation["name"])
        assert "response" in poll_until(get.execute, lambda answer: answer.get("done", False))
    for name, uri in (("kept", "s3://bucket/triple/"), ("lost", "s3://bucket/lost/triple/")):
        create_endpoint(sm, name, uri)
        settled = poll_until(in_service(sm, name), lambda e: e["EndpointStatus"] != "Creating")
        assert settled["EndpointStatus"] == "InService"
    pending = create_version(ml, "v2", "gs://bucket/triple/2")
    s3 = client.aws("s3")
    for item in s3.list_objects_v2(Bucket="bucket", Prefix="lost/")["Contents"]:
        s3.delete_object(Bucket="bucket", Key=item["Key"])
    with client.gcs() as gcs:
        for blob in gcs.list_blobs("bucket", prefix="lost/"):
            blob.delete()
    ml.close()
    first.kill()

    second = start_emulator(tmp_path)
    ml, sm, runtime = second.ml(), second.aws("sagemaker"), second.aws("sagemaker-runtime")
    answer = ml.projects().predict(name="projects/p/models/m", body={"instances": [1.0]})
    assert answer.execute() == {"predictions": [2.0]}
    invoked = runtime.invoke_endpoint(
        EndpointName="kept", ContentType="application/json", Body=b'{"instances": [1.0]}'
    )
    assert json.loads(invoked["Body"].read()) == {"predictions": [3.0]}

    get = ml.projects().operations().get(name=pending["name"])
    done = poll_until(get.execute, lambda answer: answer.get("done", False))
    assert done["response"]["state"] == "READY"

    lost = "projects/p/models/m/versions/lost"
    with pytest.raises(HttpError, match="Online prediction is unavailable for this version"):
        ml.projects().predict(name=lost, body={"instances": [1.0]}).execute()
    version = ml.projects().models().versions().get(name=lost).execute()
    assert version["state"] == "FAILED"
    assert version["errorMessage"] == "There are no objects under this prefix"
    endpoint = poll_until(in_service(sm, "lost"), lambda e: e["EndpointStatus"] != "InService")
    assert endpoint["EndpointStatus"] == "Failed"
    assert endpoint["FailureReason"].endswith("There are no objects under this prefix")
    ml.close()


def test_a_stopped_emulator_starts_again_on_its_data(start_emulator, tmp_path):
    first = start_emulator(tmp_path)
    ml = first.ml()
    ml.projects().models().create(parent="projects/p", body={"name": "m"}).execute()
    ml.close()
    first.stop()
    ml = start_emulator(tmp_path).ml()
    listed = ml.projects().models().list(parent="projects/p").execute()["models"]
    assert [model["name"] for model in listed] == ["projects/p/models/m"]
    ml.close()
