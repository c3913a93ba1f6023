"""Stores to send files to: ours through both APIs, and independent implementations."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.objects import GcsApp, ObjectStore, S3App
from cloudserve.local_server.transport.http.server import HttpServer

from cloudserve.storage.contract import BlobStore

with warnings.catch_warnings():
    # TensorFlow brings grpc, and then api_core asks for a package that only gRPC errors need.
    warnings.filterwarnings("ignore", "Please install grpcio-status", ImportWarning)
    import google.api_core.exceptions  # noqa: F401 - imported for its warning, in quiet

from cloudserve.adapters.aws.s3.store import S3Blobs
from cloudserve.adapters.aws.session import Access as AwsAccess
from cloudserve.adapters.google.credentials import Access as GoogleAccess
from cloudserve.adapters.google.gcs.store import GcsBlobs

from cloudserve.storage.events import SILENT

MIB = 1 << 20
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
NUMBERS = itertools.count(1)

Open = Callable[[str, str], BlobStore]
"""Takes an endpoint and a bucket's name."""


@cache
def access_to(endpoint: str) -> AwsAccess:
    """Share a session, which has read botocore's data once."""
    return AwsAccess({"AWS_ENDPOINT_URL": endpoint, **KEYS}, "us-east-1")


def open_s3(endpoint: str, bucket: str) -> S3Blobs:
    return S3Blobs(bucket, region="us-east-1", access=access_to(endpoint))


def open_gcs(endpoint: str, bucket: str) -> GcsBlobs:
    return GcsBlobs(
        bucket, project="p", region="us-central1", access=GoogleAccess({}), emulator=endpoint
    )


@pytest.fixture(scope="session")
def s3_at() -> Open:
    return open_s3


@pytest.fixture(scope="session")
def gcs_at() -> Open:
    return open_gcs


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Give the URLs of our store's two APIs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def call(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    with ObjectStore(tmp_path_factory.mktemp("objects")) as store:
        servers = {"s3": HttpServer(S3App(store)), "gcs": HttpServer(GcsApp(store))}
        for server in servers.values():
            call(server.start())
        yield {name: f"http://127.0.0.1:{server.port}" for name, server in servers.items()}
        for server in servers.values():
            call(server.stop(0.1))
        call(loop.shutdown_default_executor())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Give the URL of moto's S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def gcs_emulator() -> Iterator[str]:
    """Give the URL of gcp-storage-emulator."""
    from gcp_storage_emulator.server import create_server

    server = create_server("127.0.0.1", 0, in_memory=True)
    server.start()
    host, port = server._api._httpd.socket.getsockname()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket() -> str:
    """Give a bucket's name that no other test has."""
    return f"cloudserve-storage-{next(NUMBERS)}"


@pytest.fixture(params=["s3", "gcs"])
def kind(request: pytest.FixtureRequest) -> str:
    """Give the name of each API in turn."""
    return request.param


@pytest.fixture
def open_store(kind: str) -> Open:
    return {"s3": open_s3, "gcs": open_gcs}[kind]


@pytest.fixture
def store(faces, kind, open_store, bucket):
    """Give an existing bucket in our store, through each of its APIs in turn."""
    made = open_store(faces[kind], bucket)
    made.ensure(SILENT)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a file of random bytes, the same for the same seed."""

    def write(name: str, size: int, seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(seed).randbytes(size))
        return path

    return write


@pytest.fixture
def fault_proxy():
    """Give the class of a proxy that treats connections as a plan says."""
    from importlib.util import module_from_spec, spec_from_file_location

    path = Path(__file__).with_name("fault_proxy.py")
    spec = spec_from_file_location("fault_proxy", path)
    module = module_from_spec(spec)
    sys.modules["fault_proxy"] = module
    spec.loader.exec_module(module)
    return module
