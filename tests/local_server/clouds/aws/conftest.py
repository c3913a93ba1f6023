"""Clients of the offline AWS, small models for it, and a clock that tests advance."""

from __future__ import annotations

import asyncio
import io
import tarfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/serving"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu-py312"
JSON = "application/json"
DOUBLED = b'{\n    "predictions": [2.0]\n}'
TRIPLED = b'{\n    "predictions": [3.0]\n}'


class HandClock:
    """A clock that stands still until a test advances it, from any thread."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
        self._waiting: list[tuple[datetime, asyncio.Future[None]]] = []
        self._changed = threading.Condition()

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        due = asyncio.get_running_loop().create_future()
        with self._changed:
            entry = (self._now + timedelta(seconds=seconds), due)
            self._waiting.append(entry)
            self._changed.notify_all()
        try:
            await due
        finally:
            with self._changed:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                self._changed.notify_all()

    def advance(self, seconds: float) -> None:
        """Advance the time and wake the sleepers that are due."""
        with self._changed:
            self._now += timedelta(seconds=seconds)
            for when, due in self._waiting:
                if when <= self._now:
                    due.get_loop().call_soon_threadsafe(_wake, due)

    def until_someone_waits(self, seconds: float) -> None:
        """Wait until a sleeper is due in exactly `seconds`."""
        wanted = self._now + timedelta(seconds=seconds)
        with self._changed:
            result = self._changed.wait_for(
                lambda: any(when == wanted for when, _ in self._waiting), 60
            )
        assert result, f"nobody waits for {seconds} seconds: {self._waiting}"


def _wake(due: asyncio.Future[None]) -> None:
    if not due.done():
        due.set_result(None)


class Aws:
    """An emulator's AWS clients, and short ways to make resources."""

    def __init__(self, running, poll_until) -> None:
        self.running = running
        self.sm = running.aws("sagemaker")
        self.runtime = running.aws("sagemaker-runtime")
        self.s3 = running.aws("s3")
        self.cloudwatch = running.aws("cloudwatch")
        self.poll = poll_until

    def add_model(self, name: str, uri: str, image: str = IMAGE, **more) -> None:
        source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
        data = (
            {"ModelDataSource": {"S3DataSource": source}}
            if uri.endswith("/")
            else {"ModelDataUrl": uri}
        )
        container = {"Image": image} | data | more
        self.sm.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    def add_multi_model(self, name: str, uri: str, **more) -> None:
        container = {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": uri} | more
        self.sm.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    def add_archive(self, bucket: str, key: str, folder: Path) -> str:
        """Put a folder into a bucket as a `model.tar.gz`; return its URL."""
        self.s3.put_object(Bucket=bucket, Key=key, Body=packed(folder))
        return f"s3://{bucket}/{key}"

    def variant(self, name: str, model: str, weight: float = 1.0, **more) -> dict:
        own = {"VariantName": name, "ModelName": model, "InitialVariantWeight": weight}
        instance = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        return own | ({} if "ServerlessConfig" in more else instance) | more

    def add_config(self, name: str, *variants: dict, **more) -> None:
        self.sm.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants), **more
        )

    def add_endpoint(self, name: str, config: str | None = None) -> dict:
        self.sm.create_endpoint(EndpointName=name, EndpointConfigName=config or name)
        settled = self.settled(name)
        assert settled["EndpointStatus"] == "InService", settled
        return settled

    def describe(self, name: str) -> dict:
        return self.sm.describe_endpoint(EndpointName=name)

    def settled(self, name: str) -> dict:
        return self.poll(
            lambda: self.describe(name), lambda answer: not _is_busy(answer["EndpointStatus"])
        )

    def invoke(self, name: str, body: bytes = b'{"instances": [1]}', **more) -> bytes:
        arguments = {"ContentType": "application/json"} | more
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **arguments)
        return answer["Body"].read()


def packed(folder: Path) -> bytes:
    """Return a `model.tar.gz` of what a folder holds."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=0) as archive:
        for path in folder.iterdir():
            archive.add(path, path.name)
    return content.getvalue()


def refused(call, *values, **arguments) -> dict:
    """Return the error response of a call."""
    with pytest.raises(ClientError) as caught:
        call(*values, **arguments)
    return caught.value.response


def _is_busy(status: str) -> bool:
    return status.endswith("ing") or status == "RollingBack"


@pytest.fixture(scope="session")
def aws(clouds, poll_until) -> Aws:
    """Provide clients of the emulator that all tests share."""
    return Aws(clouds, poll_until)


@pytest.fixture(scope="session")
def archived(aws, models) -> dict[str, str]:
    """Provide the URLs of the models' archives, by the models' names."""
    return {
        name: aws.add_archive("models", f"{name}.tar.gz", models / name)
        for name in ("double", "triple")
    }


@pytest.fixture
def doubling(aws, fresh):
    """Provide an endpoint that doubles."""
    aws.add_model(fresh, "s3://models/double/")
    aws.add_config(fresh, aws.variant("main", fresh))
    aws.add_endpoint(fresh)
    return fresh


@pytest.fixture(scope="module")
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="module")
def timed(clock, models, start_emulators, poll_until) -> Aws:
    """Provide clients of an emulator on a clock that the test moves."""
    from cloudserve.local_server.clouds.latency import Latency

    running = start_emulators(None, latency=Latency(clock))
    running.upload("models", "", models)
    return Aws(running, poll_until)


@pytest.fixture(scope="module")
def start_emulators():
    """Return a function that starts emulators for a whole module."""
    from tests.local_server.clouds.conftest import RunningEmulator

    started = []

    def start(data, **options):
        started.append(RunningEmulator(data, **options))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def sm(clouds):
    return clouds.aws("sagemaker")


@pytest.fixture(scope="session")
def runtime(clouds):
    return clouds.aws("sagemaker-runtime")


def prefix_source(uri: str) -> dict:
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {
        "Image": "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.20-cpu-py312",
        "ModelDataSource": {"S3DataSource": source},
    }


@pytest.fixture
def add_model(sm):
    """Return a function that creates a model of a prefix."""

    def create(name: str, uri: str, **more) -> None:
        sm.create_model(
            ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=prefix_source(uri) | more
        )

    return create


@pytest.fixture
def add_config(sm):
    """Return a function that creates a configuration from (variant, model, weight) triples."""

    def create(name: str, *variants: tuple[str, str, float]) -> None:
        sm.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": variant,
                    "ModelName": model,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "InitialVariantWeight": weight,
                }
                for variant, model, weight in variants
            ],
        )

    return create


@pytest.fixture
def settled(sm, poll_until):
    """Return a function that waits until nothing is under way for an endpoint."""

    def wait(name: str) -> dict:
        return poll_until(
            lambda: sm.describe_endpoint(EndpointName=name),
            lambda answer: not answer["EndpointStatus"].endswith("ing"),
        )

    return wait


@pytest.fixture
def two_variants(sm, fresh, add_model, add_config, settled):
    """Provide an endpoint whose variant `double` has weight 1 and `triple` weight 0."""
    add_model(f"{fresh}-2", "s3://models/double/")
    add_model(f"{fresh}-3", "s3://models/triple/")
    add_config(fresh, ("double", f"{fresh}-2", 1), ("triple", f"{fresh}-3", 0))
    sm.create_endpoint(EndpointName=fresh, EndpointConfigName=fresh)
    assert settled(fresh)["EndpointStatus"] == "InService"
    return fresh


def invoke(runtime, name: str, body: bytes, kind: str = JSON, **more) -> tuple[bytes, str]:
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType=kind, Body=body, **more)
    return answer["Body"].read(), answer["InvokedProductionVariant"]


def refusal(call, **arguments) -> tuple[str, str]:
    """Return the error code and message of a call."""
    error = refused(call, **arguments)["Error"]
    return error["Code"], error["Message"]


def rows(*values: float) -> bytes:
    """Return the container's answer with these predictions."""
    return b'{\n    "predictions": [%b]\n}' % b",".join(str(v).encode() for v in values)
