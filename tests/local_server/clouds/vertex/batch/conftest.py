"""A bucket, and jobs of batch prediction."""

from __future__ import annotations

import json

import pytest

MACHINE = {"machineSpec": {"machineType": "n1-standard-2"}}


class Bucket:
    """The offline bucket of one test."""

    def __init__(self, client, name: str) -> None:
        self.name = name
        self._bucket = client.bucket(name)
        self._bucket.create()

    def put(self, key: str, data: bytes) -> str:
        self._bucket.blob(key).upload_from_string(data)
        return f"gs://{self.name}/{key}"

    def lines(self, directory: str) -> dict[str, list[dict]]:
        """Return the output's files below a directory, line by line, by their names."""
        prefix = directory.removeprefix(f"gs://{self.name}/") + "/"
        return {
            blob.name.removeprefix(prefix): [
                json.loads(line) for line in blob.download_as_bytes().splitlines()
            ]
            for blob in self._bucket.list_blobs(prefix=prefix)
        }


@pytest.fixture
def bucket(clouds, fresh):
    with clouds.gcs() as client:
        yield Bucket(client, fresh)


@pytest.fixture
def model(vertex):
    return vertex.upload(displayName="double")["name"]


@pytest.fixture
def body(model, bucket):
    """Give a function that makes a job's request."""

    def make(uris: list[str], kind: str = "jsonl", **fields) -> dict:
        return {
            "displayName": "job",
            "model": model,
            "inputConfig": {"instancesFormat": kind, "gcsSource": {"uris": uris}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": f"gs://{bucket.name}/out"},
            },
            "dedicatedResources": MACHINE,
        } | fields

    return make


@pytest.fixture
def run(vertex, poll_until):
    """Give a function that creates a job and returns it as it ended."""

    def create(body: dict) -> dict:
        job = vertex.jobs.create(parent=vertex.parent, body=body).execute()
        assert job["state"] == "JOB_STATE_PENDING"
        get = vertex.jobs.get(name=job["name"])
        return poll_until(get.execute, lambda ended: "endTime" in ended)

    return create
