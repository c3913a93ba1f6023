"""examples/compose/compose.yaml without Docker: its commands, variables, health check and name.

A namespace has the network of the containers, with loopback for both, and a name for the service.
The folder of the volume is in the temporary folder instead of the root.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "examples" / "compose" / "compose.yaml"
NETWORK = (
    *("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork"),
    *("--kill-child", "sh", "-c"),
    'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"',
    "sh",
)
TESTS = """\
import os

import boto3
import google.auth
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage


def test_s3():
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    client.put_object(Bucket="models", Key="k", Body=b"1")
    assert client.get_object(Bucket="models", Key="k")["Body"].read() == b"1"


def test_sagemaker():
    assert boto3.client("sagemaker").list_endpoints()["Endpoints"] == []


def test_cloud_storage():
    assert storage.Client().create_bucket("models").exists()


def test_vertex_ai():
    credentials, project = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])
    url = os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"]
    with AuthorizedSession(credentials) as session:
        answer = session.get(f"{url}v1/projects/{project}/locations/us-central1/endpoints")
    assert (answer.status_code, answer.json()) == (200, {})
"""
BOTH = """\
import subprocess, sys, time, json
clouds, health, tests, environment = map(json.loads, sys.argv[1:])
with subprocess.Popen(clouds) as server:
    deadline = time.monotonic() + 60
    while subprocess.run(health, stdout=subprocess.DEVNULL).returncode:
        assert server.poll() is None and time.monotonic() < deadline
    code = subprocess.run(tests, env=environment).returncode
    server.terminate()
sys.exit(code)
"""
"""Starts the clouds, waits for their health, runs the tests, and ends the clouds."""


@pytest.fixture
def namespace(tmp_path):
    """Give what runs a program where `clouds` is a name of this machine's loopback."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost clouds\n")
    if not shutil.which("unshare"):
        pytest.skip("this machine has no `unshare`")
    command = (*NETWORK, str(hosts))
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no network namespace: {tried.stderr.strip()}")
    return command


@pytest.mark.slow
def test_the_tests_reach_the_clouds_by_the_commands_and_variables_of_both_services(
    namespace, tmp_path
):
    services = yaml.safe_load(COMPOSE.read_text().replace("/data", str(tmp_path / "data")))
    services = services["services"]
    (tmp_path / "test_it.py").write_text(TESTS)
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    _, _, install = services["tests"]["command"].partition("pip install -r requirements.txt && ")
    assert install == 'pytest"'
    parts = (
        shlex.split(services["clouds"]["command"]),
        services["clouds"]["healthcheck"]["test"][1:],
        ["pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        {"PATH": path, "HOME": str(tmp_path), **services["tests"]["environment"]},
    )
    done = subprocess.run(
        [*namespace, sys.executable, "-c", BOTH, *map(json.dumps, parts)],
        cwd=tmp_path,
        env={"PATH": f"{path}:/usr/sbin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_example_is_a_compose_file():
    packages = os.environ.get("SCHEMAS") or pytest.skip("make oracle-ci installs the schemas")
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    environment = {**os.environ, "PYTHONPATH": str(Path(packages).resolve())}
    done = subprocess.run(
        [*check, str(COMPOSE)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
