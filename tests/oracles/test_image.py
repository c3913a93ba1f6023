"""The image of `cloudserve image build`, in a chroot: `make oracle-image`, as root.

A Debian base is made with mmdebstrap and pushed to Debian's docker-registry on loopback. The image
is built on it, pushed, pulled again by its digest, and unpacked. Its entrypoint runs in it, as its
user, with the variables that Vertex AI sets.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

if "ORACLE_IMAGE" not in os.environ:
    pytest.skip("ORACLE_IMAGE is not set: see `make oracle-image`", allow_module_level=True)

from cloudserve.images.oci.manifest import CONFIG, LAYER, MANIFEST, Descriptor, digest_of, encode
from cloudserve.images.oci.references import parse_reference
from cloudserve.images.oci.registry import open_repository

pytestmark = pytest.mark.timeout(1800)

WHITEOUT = ".wh."
REGISTRY = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def say(line: str) -> None:
    print(f"oracle-image: {line}", flush=True)  # noqa: T201 - the target shows what it did


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    (folder / "config.yml").write_text(REGISTRY.format(root=folder / "data", port=port))
    program = os.environ.get("DOCKER_REGISTRY") or shutil.which("docker-registry")
    assert program, "install docker-registry (Debian), or name it in DOCKER_REGISTRY"
    command = [program, "serve", str(folder / "config.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(f"http://127.0.0.1:{port}/v2/", process, {200})
        yield f"127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(scope="module")
def base(registry, tmp_path_factory):
    """Push a Debian with Python as a base image."""
    folder = tmp_path_factory.mktemp("base")
    archive, layer = folder / "base.tar", folder / "base.tar.gz"
    say("mmdebstrap --variant=minbase --include=python3,ca-certificates bookworm")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=python3,ca-certificates"]
    subprocess.run([*command, "bookworm", str(archive)], check=True)
    with archive.open("rb") as file, gzip.open(layer, "wb", 1) as packed:
        shutil.copyfileobj(file, packed)
    config = encode(
        {
            "os": "linux",
            "architecture": "amd64",
            "config": {"Env": ["PATH=/usr/bin:/bin", "PYTHON_VERSION=3.11.2"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of_file(archive)]},
        }
    )
    described = Descriptor(LAYER, digest_of_file(layer), layer.stat().st_size)
    configuration = Descriptor(CONFIG, digest_of(config), len(config))
    reference = parse_reference(f"{registry}/debian-python:1", "")
    repository = open_repository(reference, {}, push=True, notify=say)
    repository.upload(described, lambda: layer.open("rb"))
    repository.upload(configuration, lambda: io.BytesIO(config))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": configuration.as_json(),
        "layers": [described.as_json()],
    }
    repository.put_manifest("1", encode(manifest))
    return str(reference)


@pytest.fixture(scope="module", params=os.environ.get("ORACLE_IMAGE", "").split())
def unpacked(request, registry, base, shared_models, tmp_path_factory):
    """Build, push, pull and unpack an image; give its root and its configuration."""
    model = shared_models / "tfs_half_plus_two_cpu"
    command = [
        *(sys.executable, "-m", "cloudserve", "image", "build", "--tensorflow", request.param),
        *("--base", base, "--model", str(model), "--push", f"{registry}/cloudserve:1"),
    ]
    say(" ".join(command[1:]))
    start = time.monotonic()
    name = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    say(f"pushed {name} in {time.monotonic() - start:.0f} s")
    reference = parse_reference(name, "")
    repository = open_repository(reference, {})
    manifest = json.loads(repository.manifest(reference.digest)[0])
    folder = tmp_path_factory.mktemp("root")
    blob = folder / "blob"
    repository.blob(descriptor(manifest["config"]), blob)
    config = json.loads(blob.read_text())
    root = folder / "root"
    root.mkdir()
    for item, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        repository.blob(descriptor(item), blob)
        unpack(blob, root, diff_id)
        say(f"unpacked {item['digest']} ({item['size']} bytes)")
    blob.unlink()
    yield root, config["config"]
    shutil.rmtree(root)


def unpack(blob: Path, root: Path, diff_id: str) -> None:
    with gzip.open(blob) as file:
        assert f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == diff_id
    with tarfile.open(blob) as archive:
        assert not [name for name in archive.getnames() if Path(name).name.startswith(WHITEOUT)]
    subprocess.run(["tar", "-xzf", str(blob), "-C", str(root), "--numeric-owner"], check=True)


def descriptor(item: dict) -> Descriptor:
    return Descriptor(item["mediaType"], item["digest"], item["size"])


def digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def wait_for(url: str, process: subprocess.Popen, statuses: set[int]) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                status = response.status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            status = 0
        if status in statuses:
            return
        time.sleep(0.1)  # until it listens
    pytest.fail(f"no answer of {url}")


def in_root(root: Path, config: dict, command: list[str], **variables: str) -> list[str]:
    """Return a command that runs in the image as its user, with the image's environment."""
    environment = [*config["Env"], *(f"{key}={value}" for key, value in variables.items())]
    script = 'mount -t proc proc "$0/proc" && exec chroot --userspec="$1" "$0" "${@:2}"'
    inner = ["/usr/bin/env", "-i", "-C", config["WorkingDir"], *environment, *command]
    return ["unshare", "--mount", "bash", "-c", script, str(root), config["User"], *inner]


@contextmanager
def running(root: Path, config: dict, **variables: str):
    command = in_root(root, config, config["Entrypoint"], **variables)
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def test_it_answers_as_vertex_ai_asks_and_runs_as_its_user(unpacked):
    root, config = unpacked
    port = free_port()
    variables = {
        "AIP_MODE": "PREDICTION",
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/9",
        "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/9:predict",
    }
    health = f"http://127.0.0.1:{port}{variables['AIP_HEALTH_ROUTE']}"
    start = time.monotonic()
    with running(root, config, **variables) as process:
        wait_for(health, process, {200})
        say(f"GET {health}: 200 after {time.monotonic() - start:.1f} s")
        status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        (user,) = [line.split()[1:] for line in status if line.startswith("Uid:")]
        assert user == ["1000"] * 4
        body = json.dumps({"instances": [1.0, 5.0]}).encode()
        predict = f"http://127.0.0.1:{port}{variables['AIP_PREDICT_ROUTE']}"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(predict, body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        say(f"POST {predict} {body.decode()}: {answer}")
        assert answer == {"predictions": [2.5, 4.5]}
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=60) as response:
            say(f"GET /v1/models: {json.load(response)}")
        check = in_root(root, config, ["python3", "-m", "cloudserve.images.health"], **variables)
        assert subprocess.run(check, check=False).returncode == 0
    assert subprocess.run(check, check=False).returncode == 1
    say("the health check exits with 0 while the server runs, and with 1 afterwards")
