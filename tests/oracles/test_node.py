"""Node's clients of S3, SageMaker and Cloud Storage against the offline clouds.

`make oracle-node` installs them in the folder that NODE_CLIENTS names; anywhere else these tests
are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from cloudserve.local.offline import offline_clouds

if "NODE_CLIENTS" not in os.environ:
    pytest.skip(
        "NODE_CLIENTS does not name the folder of Node's clients: see `make oracle-node`",
        allow_module_level=True,
    )

PROGRAMS = Path(__file__).parent / "node"
CLOUDSERVE = str(Path(sys.executable).with_name("cloudserve"))
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.19-cpu"
STORED = {
    "content": "hi",
    "same": True,
    "listed": ["a/b.txt"],
    "joined": [921602, 2],
    "taken": 412,
    "odd": 400,
    "missing": 404,
    "location": "EU",
}


def node(environment: dict[str, str] | os._Environ[str], *command: str) -> dict:
    """Run a command; return the JSON that it printed."""
    done = subprocess.run(
        command,
        env=environment | {"NODE_PATH": os.environ["NODE_CLIENTS"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(300)
def test_the_aws_sdk_stores_deploys_and_predicts(shared_models, tmp_path):
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(shared_models / "tfs_half_plus_two_cpu", "1")
    with offline_clouds() as clouds:
        environment = clouds.apply(os.environ)
        report = node(environment, "node", str(PROGRAMS / "aws.js"), str(archive), IMAGE)
    assert report == {
        "stored": {
            "checksum": True,
            "parts": True,
            "same": True,
            "keys": ["model.tar.gz", "parts"],
            "taken": ["PreconditionFailed", 412],
            "missing": ["NoSuchKey", 404],
        },
        "regions": {"wrong": ["PermanentRedirect", 301], "followed": 6 << 20},
        "deployed": {
            "state": "SUCCESS",
            "answer": {"predictions": [2.5, 4.5]},
            "gone": ["ValidationException", 400],
        },
    }


@pytest.mark.timeout(300)
def test_cloud_storages_client_uploads_and_downloads():
    with offline_clouds() as clouds:
        environment = clouds.apply(os.environ)
        assert node(environment, "node", str(PROGRAMS / "storage.js")) == STORED


@pytest.mark.timeout(300)
def test_cloud_storages_client_needs_no_endpoint(tmp_path):
    command = [CLOUDSERVE, "emulate", "--intercept", "--", "node", str(PROGRAMS / "storage.js")]
    assert node(os.environ | {"HOME": str(tmp_path)}, *command) == STORED
