"""A rehearsal in a shell that holds credentials of real accounts: none is opened, none is sent."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import CLOUDSERVE, PROJECT
from tests.e2e.watching import OpenedFiles, recording

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

CANARY = "CANARY0123456789"
SCRIPT = """
import json, os

import boto3

def handler(data, context):
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="written", Body=data.read())
    tried = [p for p in ("~/.aws/credentials", "~/.aws/config") if os.path.exists(
        os.path.expanduser(p))]
    environment = {k: v for k, v in os.environ.items()}
    return json.dumps([environment, tried]), "application/json"
"""
ASK = """
import boto3, sys
answer = boto3.client("sagemaker-runtime").invoke_endpoint(
    EndpointName="half", ContentType="application/json", Body=b"asked by the SDK")
print(answer["Body"].read().decode())
body = boto3.client("s3").get_object(Bucket="canaries", Key="written")["Body"].read()
assert body == b"asked by the SDK", body
"""
REHEARSAL = """
set -e
. ./emulator.env
{cloudserve} deploy half --target aws
{cloudserve} deploy half --target gcp
echo '{{"instances": [1.0]}}' | {cloudserve} predict half --target gcp
{python} ask.py > seen.json
"""
KEYS = f"[default]\naws_access_key_id = {CANARY}\naws_secret_access_key = {CANARY}\n"


@pytest.fixture
def home(tmp_path) -> Path:
    """Give a HOME with credentials of both clouds, and a file of the user's."""
    home = tmp_path / "home"
    google = home / ".config" / "gcloud"
    for folder in (home / ".aws", google, home / "private"):
        folder.mkdir(parents=True)
    (home / ".aws" / "credentials").write_text(KEYS)
    (home / ".aws" / "config").write_text("[default]\nregion = sa-east-1\n")
    account = json.dumps({"type": "authorized_user", "refresh_token": CANARY})
    (google / "application_default_credentials.json").write_text(account)
    (home / "private" / "key.json").write_text(account)
    (home / "private" / "diary.txt").write_text(CANARY)
    return home


@pytest.fixture
def shell(home) -> dict[str, str]:
    """Give the environment of somebody who works with real accounts."""
    return {
        **os.environ,
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": CANARY,
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_SESSION_TOKEN": CANARY,
        "AWS_PROFILE": CANARY,
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "GOOGLE_APPLICATION_CREDENTIALS": str(home / "private" / "key.json"),
        "SECRET_TOKEN": CANARY,
    }


@pytest.fixture
def project(tmp_path, shared_models) -> Path:
    """Give a project whose model has `code/inference.py`."""
    (source,) = (p for p in (shared_models / "tfs_half_plus_two_cpu").iterdir() if p.is_dir())
    version = tmp_path / "project" / "half" / "1"
    shutil.copytree(source, version)
    (version / "code").mkdir()
    (version / "code" / "inference.py").write_text(SCRIPT)
    project = version.parents[1]
    text = PROJECT.format(model="half", path="half", bucket="canaries")
    (project / "cloudserve.yaml").write_text(f"{text}    env: {{BUCKET: canaries}}\n")
    (project / "ask.py").write_text(ASK)
    return project


@pytest.fixture
def emulator(project, shell):
    """Give what a running emulator printed; it was started in the shell with the canaries."""
    # The how-to's own command: a folder named by a relative path.
    command = [CLOUDSERVE, "emulate", "--port", "0", "--env", "--auth", "strict", "--data", "kept"]
    with subprocess.Popen(
        command, env=shell, cwd=project, stdout=subprocess.PIPE, text=True
    ) as process:
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith("# ready"):
                break
        yield "".join(printed)
        process.terminate()


def test_no_credential_of_the_shell_is_opened_or_sent(home, shell, project, emulator):
    port = re.search(r"# ready on http://127\.0\.0\.1:(\d+)", emulator)[1]
    watched = OpenedFiles([home / ".aws", home / ".config" / "gcloud", home / "private"])
    with recording(int(port)) as (recorder, sent):
        exports = emulator.replace(f"127.0.0.1:{port}", f"127.0.0.1:{recorder}")
        (project / "emulator.env").write_text(exports)
        script = REHEARSAL.format(cloudserve=CLOUDSERVE, python=sys.executable)
        done = subprocess.run(
            ["bash", "-c", script],
            env=shell,
            cwd=project,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        traffic = b"".join(sent)
    assert done.returncode == 0, done.stderr
    opened = watched.read()
    environment, files = json.loads((project / "seen.json").read_text())
    assert CANARY not in environment.values()
    assert environment["AWS_ACCESS_KEY_ID"] == "cloudserve-container"
    assert files == []
    assert b"Credential=cloudserve/" in traffic
    assert b"POST /endpoints/half/invocations" in traffic
    assert CANARY.encode() not in traffic
    assert opened == set()
    # The watch sees what it is there to see.
    (home / "private" / "diary.txt").read_text()
    assert watched.read() == {"diary.txt"}
    watched.close()
