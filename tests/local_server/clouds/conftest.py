"""A running emulator, the two SDKs pointed at it, and small models in its buckets."""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import heapq
import os
import random
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.certificates import CERTIFICATE, open_authority
from cloudserve.local_server.transport.loop import new_event_loop

DEADLINE_SECONDS = 60.0
ROLE = "arn:aws:iam::000000000000:role/serving"


# gRPC reads the certificates that it trusts once in a process, with its first channel over TLS. So
# all emulators of the tests have one authority, which is known before the first test.
AUTHORITY = Path(tempfile.mkdtemp(prefix="authority-"))
atexit.register(shutil.rmtree, AUTHORITY)
open_authority(AUTHORITY)
os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(AUTHORITY / CERTIFICATE)


class RunningEmulator:
    """An emulator on a loop in a thread of its own, and clients that talk to it."""

    def __init__(self, data: Path | None, seed: int = 7, *, latency=None, **options) -> None:
        from cloudserve.local_server.clouds.emulator import Emulator

        from cloudserve.local.servers import EmulateCommand

        class TrustedEmulator(Emulator):
            def _certificate(self):
                shutil.copytree(AUTHORITY, self._credentials, dirs_exist_ok=True)
                return super()._certificate()

        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        command = EmulateCommand(data, **options)
        try:
            self.emulator = TrustedEmulator(command, rng=random.Random(seed), latency=latency)
            self._run(self.emulator.start())
        except BaseException:
            self._end()
            raise
        self.url = self.emulator.url
        self.environment = self.emulator.environment()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE_SECONDS)

    def _end(self) -> None:
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_SECONDS)
        self._loop.close()

    def stop(self) -> None:
        self._run(self.emulator.stop())
        self._end()

    def aws(self, service: str):
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.url,
            aws_access_key_id="cloudserve",
            aws_secret_access_key="cloudserve",
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 0}, max_pool_connections=32),
        )

    def ml(self):
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from googleapiclient.discovery import build

        return build(
            "ml",
            "v1",
            static_discovery=True,
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=self.url),
        )

    def upload(self, bucket: str, prefix: str, folder: Path) -> None:
        """Put a folder's files into the bucket of this name of either cloud."""
        self.make_bucket(bucket)
        s3 = self.aws("s3")
        with self.gcs() as client:
            blobs = client.bucket(bucket)
            if not blobs.exists():
                blobs.create()
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                key = f"{prefix}{path.relative_to(folder)}"
                s3.upload_file(str(path), bucket, key)
                blobs.blob(key).upload_from_filename(str(path))

    def gcs(self):
        from google.auth.credentials import AnonymousCredentials

        with warnings.catch_warnings():
            # google-api-core asks for grpcio-status, which none of these clients use.
            warnings.simplefilter("ignore", ImportWarning)
            from google.cloud import storage

        return storage.Client(
            project="p",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.url},
        )

    def make_bucket(self, bucket: str) -> None:
        s3 = self.aws("s3")
        if bucket not in {b["Name"] for b in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=bucket)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Future]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        woken = asyncio.get_running_loop().create_future()
        self._count += 1
        until = self._now + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (until, self._count, woken))
        await woken

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)

    @property
    def sleeping(self) -> int:
        return sum(not woken.done() for _, _, woken in self._sleepers)


def poll(read: Callable[[], dict], done: Callable[[dict], bool]) -> dict:
    """Read until done, as a client polls an operation; fail at the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not done(answer := read()):
        assert time.monotonic() < end, answer
    return answer


def write_model(folder: Path, factor: float) -> None:
    """Write the SavedModel of y = factor * x, and of its signature `negative` -factor * x."""
    import tensorflow as tf

    class Scale(tf.Module):
        def __init__(self) -> None:
            self.factor = tf.Variable(factor)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def scale(self, x):
            return {"y": self.factor * x}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def negative(self, x):
            return {"y": -self.factor * x}

    module = Scale()
    signatures = {"serving_default": module.scale, "negative": module.negative}
    tf.saved_model.save(module, str(folder), signatures=signatures)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of models that TensorFlow wrote: `double/1`, `triple/2`, and `broken/1`."""
    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        # TensorFlow's own deprecations, on import and while it saves.
        warnings.simplefilter("ignore")
        write_model(folder / "double" / "1", 2.0)
        write_model(folder / "triple" / "2", 3.0)
    broken = folder / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"no protobuf at all")
    return folder


@pytest.fixture(scope="session")
def clouds(models: Path):
    """Give an emulator for all tests; its bucket `models` holds them, and `tests` is empty."""
    running = RunningEmulator(None)
    running.upload("models", "", models)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def new_emulator() -> type[RunningEmulator]:
    """Give what starts an emulator of a module's own, which the module has to stop."""
    return RunningEmulator


@pytest.fixture(scope="session")
def new_clock() -> type[ManualClock]:
    """Give what makes a clock that stands still until a test moves it."""
    return ManualClock


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> str:
    """Give a name that no other test uses."""
    return f"t{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}"


@pytest.fixture
def start_emulator():
    """Give a function that starts further emulators; they are stopped at the end."""
    started: list[RunningEmulator] = []

    def start(data: Path | None, seed: int = 7, **options) -> RunningEmulator:
        started.append(RunningEmulator(data, seed, **options))
        return started[-1]

    yield start
    for running in started:
        if running._thread.is_alive():
            running.stop()


@pytest.fixture(scope="session")
def poll_until():
    """Give the function that polls through an SDK until something holds."""
    return poll
