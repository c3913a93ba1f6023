"""A store, and servers on loopback that speak S3 and GCS over it."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from cloudserve.local_server.clouds.objects.gcs.app import GcsApp
from cloudserve.local_server.clouds.objects.s3.app import S3App
from cloudserve.local_server.clouds.objects.store.store import ObjectStore
from cloudserve.local_server.clouds.objects.store.types import ObjectInfo
from cloudserve.local_server.transport.http.server import HttpServer
from cloudserve.local_server.transport.types import Application

with warnings.catch_warnings():
    # It warns that grpcio-status is missing as soon as grpcio is there; nothing here uses gRPC.
    warnings.simplefilter("ignore", ImportWarning)
    import google.api_core.exceptions  # noqa: F401 imported for the tests that follow

Serve = Callable[[Application], int]
Put = Callable[[str, bytes], ObjectInfo]


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Give a function that serves an application from a loop in a thread and returns the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers: list[HttpServer] = []

    def start(app: Application) -> int:
        server = HttpServer(app)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        servers.append(server)
        return server.port

    yield start
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.stop(0.1), loop).result()
    asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="session")
def emulator(new_emulator: Any) -> Iterator[Any]:
    """Give a running emulator without models, which the tests of both APIs share."""
    running = new_emulator(None)
    yield running
    running.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    with ObjectStore(tmp_path / "store") as opened:
        opened.create_bucket("bkt")
        yield opened


@pytest.fixture
def put(store: ObjectStore) -> Put:
    """Give a function that puts bytes under a key of the bucket `bkt`."""

    def write(key: str, content: bytes) -> ObjectInfo:
        writer = store.writer()
        writer.write(content)
        return store.put("bkt", key, writer.finish())

    return write


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Give the store that the module's applications share."""
    with ObjectStore(tmp_path_factory.mktemp("served")) as opened:
        yield opened


@pytest.fixture(scope="module")
def s3_port(served: ObjectStore, serve: Serve) -> int:
    return serve(S3App(served))


@pytest.fixture(scope="module")
def s3(s3_port: int) -> Iterator[Any]:
    """Give boto3's client, and the bucket `bkt`."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3_port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, tcp_keepalive=False),
    )
    client.create_bucket(Bucket="bkt")
    yield client
    client.close()


@pytest.fixture(scope="module")
def gcs_port(served: ObjectStore, serve: Serve) -> int:
    return serve(GcsApp(served))
