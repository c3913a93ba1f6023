"""Registries on loopback: Debian's docker-registry, and a small one in the test for faults."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from cloudserve.images.oci.layers import Entry, write_layer
from cloudserve.images.oci.manifest import CONFIG, MANIFEST, Descriptor, digest_of, encode
from cloudserve.images.oci.references import parse_reference
from cloudserve.images.oci.registry import open_repository
from cloudserve.images.oci.wheels import InMemory

USER, PASSWORD = "tester", "open sesame"
HTPASSWD = "$2b$04$.yZ.cVfzMZ2xMqWQCGsQXecnm8o.hu6nAEQNHV51BCLZxEtC8sNmC"  # of PASSWORD, by bcrypt
CONFIGURATION = """\
version: 0.1
log: {{level: info}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:0"}}
auth: {{htpasswd: {{realm: registry, path: {passwords}}}}}
"""
LOGIN = {"CLOUDSERVE_REGISTRY_USER": USER, "CLOUDSERVE_REGISTRY_PASSWORD": PASSWORD}


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory):
    """Give the address of Debian's docker-registry, which asks for a user name and password."""
    program = os.environ.get("DOCKER_REGISTRY") or shutil.which("docker-registry")
    if not program:
        pytest.skip("needs docker-registry (Debian: docker-registry), or DOCKER_REGISTRY")
    folder = tmp_path_factory.mktemp("registry")
    (folder / "passwords").write_text(f"{USER}:{HTPASSWD}\n")
    text = CONFIGURATION.format(root=folder / "data", passwords=folder / "passwords")
    (folder / "config.yml").write_text(text)
    command = [program, "serve", str(folder / "config.yml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if address := re.search(r"listening on (127\.0\.0\.1:\d+)", line):
                    break
            else:
                pytest.fail("the registry did not start")
            # A full pipe would block the registry.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield address[1]
        finally:
            process.terminate()


@pytest.fixture
def home(tmp_path):
    """Give the environment of a user without logins."""
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Make pip find one small wheel, and lock the image's requirements to it."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "colours-1.0-py3-none-any.whl"
    info = "colours-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("colours/__init__.py", "def main():\n    print('red')\n")
        archive.writestr("colours-1.0.data/scripts/paint", "#!python\nprint('blue')\n")
        archive.writestr("colours-1.0.data/data/share/colours.txt", "green\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: colours\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ncolours = colours:main\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(
        "cloudserve.images.oci.build.locked_requirements",
        lambda tensorflow: f"colours==1.0 --hash=sha256:{digest}\n",
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return path


@pytest.fixture
def make_base(tmp_path):
    """Give a function that pushes a base image with one layer, and returns its reference."""

    def make(registry: str, name: str, variables=("PYTHON_VERSION=3.12.7",), login=LOGIN):
        file = Entry("etc/base", InMemory(os.urandom(100)))
        layer = write_layer([file], tmp_path / "base.tar.gz", "base")
        config = encode(
            {
                "os": "linux",
                "architecture": "amd64",
                "config": {"Env": ["PATH=/usr/bin", *variables], "Cmd": ["python3"]},
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
                "history": [{"created_by": "base"}],
            }
        )
        described = Descriptor(CONFIG, digest_of(config), len(config))
        reference = parse_reference(f"{registry}/{name}:1", "")
        repository = open_repository(reference, {"HOME": "/", **login}, push=True)
        repository.upload(layer.descriptor, lambda: layer.path.open("rb"))
        repository.upload(described, lambda: io.BytesIO(config))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described.as_json(),
            "layers": [layer.descriptor.as_json()],
        }
        repository.put_manifest("1", encode(manifest))
        return reference

    return make


@pytest.fixture
def files_of():
    """Give a function that returns the files of a layer: name -> (mode, owner, content)."""

    def read(path):
        with tarfile.open(path) as archive:
            return {
                item.name: (
                    item.mode,
                    item.uid,
                    archive.extractfile(item).read() if item.isfile() else None,
                )
                for item in archive
            }

    return read


class FaultyRegistry(BaseHTTPRequestHandler):
    """The registry API over dictionaries, with the faults that a test puts into `server`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code="DENIED", message="no"):
        errors = {"errors": [{"code": code, "message": message}]}
        self.answer(status, json.dumps(errors).encode())

    def route(self):
        server, url = self.server, urlsplit(self.path)
        server.requests.append((self.command, self.path, self.headers.get("Authorization")))
        if server.broken and re.search(server.broken[0], f"{self.command} {self.path}"):
            return self.refuse(server.broken[1])
        if url.path == "/token" and self.command == "POST":
            server.tokens.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"]))))
            return self.answer(200, b'{"access_token": "t0k3n"}')
        if url.path == "/token":
            server.tokens.append(parse_qs(url.query))
            return self.answer(200, b'{"token": "t0k3n"}')
        if server.basic and self.headers.get("Authorization") != server.basic:
            return self.answer(401, WWW_Authenticate='Basic realm="r",service="ecr.amazonaws.com"')
        if server.token and self.headers.get("Authorization") != "Bearer t0k3n":
            realm = f'Bearer realm="{server.url}/token",service="reg",scope="repository:a:pull"'
            return self.answer(401, WWW_Authenticate=realm)
        return getattr(self, f"on_{self.command.lower()}")(url, parse_qs(url.query))

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = route  # noqa: N815 - names of http.server

    def on_get(self, url, query):
        if "/uploads/" in url.path:
            size = len(self.server.uploads[url.path])
            return self.answer(204, Range=f"0-{size - 1}", Location=f"{url.path}?state={size}")
        digest = url.path.rsplit("/", 1)[1]
        data = self.server.blobs.get(digest)
        if data is None:
            return self.refuse(404, "BLOB_UNKNOWN", "blob unknown")
        if self.server.storage:
            return self.answer(307, Location=f"{self.server.storage}/v2/x/blobs/{digest}")
        return self.answer(200, data)

    on_head = on_get

    def on_post(self, url, query):
        location = f"{url.path}{len(self.server.uploads)}"
        self.server.uploads[location] = b""
        return self.answer(202, Location=f"{location}?state=1")

    def on_patch(self, url, query):
        length, kept = int(self.headers["Content-Length"]), self.server.uploads[url.path]
        ranges = self.headers.get("Content-Range")
        # The state of docker-registry's URLs has the offset, and each answer another one.
        if ranges and (int(ranges.split("-")[0]), query["state"]) != (len(kept), [str(len(kept))]):
            return self.answer(416)
        if self.server.drop_after:
            self.server.uploads[url.path] += self.rfile.read(self.server.drop_after)
            self.server.drop_after = 0
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        self.server.uploads[url.path] += self.rfile.read(length)
        return self.answer(202, Location=f"{url.path}?state=2")

    def on_put(self, url, query):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if "/manifests/" in url.path:
            assert json.loads(data)["mediaType"] == self.headers["Content-Type"]
            self.server.blobs[url.path.rsplit("/", 1)[1]] = data
        else:
            assert query["state"]  # the query of the location was kept
            data = self.server.uploads.pop(url.path) + data
            if digest_of(data) != query["digest"][0]:
                return self.refuse(400, "DIGEST_INVALID", "wrong digest")
            self.server.blobs[query["digest"][0]] = data
        return self.answer(201)


@pytest.fixture
def faulty():
    """Give a function that starts a registry in the test."""
    servers = []

    def start():
        server = ThreadingHTTPServer(("127.0.0.1", 0), FaultyRegistry)
        server.blobs, server.uploads, server.requests, server.tokens = {}, {}, [], []
        server.broken, server.token, server.storage, server.drop_after = None, False, "", 0
        server.basic = ""
        server.registry = f"127.0.0.1:{server.server_port}"
        server.url = f"http://{server.registry}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()
