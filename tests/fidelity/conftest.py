"""One emulator and the clouds' own SDKs, to replay what people report that their cloud refused.

A file here is a table. Each row is a public report: what was done, what the cloud answers, where
that is written, and what the rehearsal answers. A row's step takes `Clouds`, does what the report
did through a real client, and fails as that client fails.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import tarfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROLE = "arn:aws:iam::000000000000:role/serving"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-inference:2.19-cpu"
DEADLINE_SECONDS = 60.0
NUMBERS = itertools.count(1)


class Aws:
    """SageMaker and S3 through boto3. Names are one row's own; models lie in `s3://models/`."""

    def __init__(self, url: str, name: str, region: str = "us-east-1") -> None:
        import boto3
        from botocore.config import Config

        def client(service: str) -> Any:
            return boto3.client(
                service,
                endpoint_url=url,
                aws_access_key_id="cloudserve",
                aws_secret_access_key="cloudserve",
                region_name=region,
                config=Config(retries={"max_attempts": 0}),
            )

        self.name = name
        self.s3 = client("s3")
        self.sagemaker = client("sagemaker")
        self.runtime = client("sagemaker-runtime")

    def close(self) -> None:
        """Close the clients' connections."""
        for client in (self.s3, self.sagemaker, self.runtime):
            client.close()

    def create_model(self, **container: Any) -> None:
        """Create the row's model: the good one but for these fields of its container."""
        fields = {"Image": IMAGE, "ModelDataUrl": "s3://models/half.tar.gz", **container}
        self.sagemaker.create_model(
            ModelName=self.name, ExecutionRoleArn=ROLE, PrimaryContainer=fields
        )

    def create_config(self, **variant: Any) -> None:
        """Create the row's endpoint configuration, of its model."""
        fields = {
            "VariantName": "v",
            "ModelName": self.name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            **variant,
        }
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=self.name, ProductionVariants=[fields]
        )

    def create_endpoint(self) -> None:
        """Create the row's endpoint and wait; raises AssertionError with its FailureReason."""
        self.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=self.name)
        found = _wait(
            lambda: self.sagemaker.describe_endpoint(EndpointName=self.name),
            lambda endpoint: endpoint["EndpointStatus"] != "Creating",
        )
        if found["EndpointStatus"] != "InService":
            raise AssertionError(f"{found['EndpointStatus']}: {found['FailureReason']}")


class Vertex:
    """Vertex AI through googleapiclient, in a project of one row."""

    def __init__(self, url: str, name: str) -> None:
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from googleapiclient.discovery import build

        self.name = name
        self.parent = f"projects/{name}/locations/us-central1"
        self._service = build(
            "aiplatform",
            "v1",
            static_discovery=True,
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=url),
        )
        self.locations = self._service.projects().locations()

    def close(self) -> None:
        """Close the client's connection."""
        self._service.close()

    def done(self, request: Any) -> Any:
        """Execute a request and wait for its operation; raises AssertionError for its error."""
        name = request.execute()["name"]
        resource = self.locations.endpoints() if "/endpoints/" in name else self.locations.models()
        operations = resource.operations()
        ended = _wait(lambda: operations.get(name=name).execute(), lambda found: "done" in found)
        if "error" in ended:
            raise AssertionError(f"{ended['error']['code']}: {ended['error']['message']}")
        return ended["response"]

    def upload(self, image: str) -> str:
        """Upload the good model for a container image and return its name."""
        model = {
            "displayName": self.name,
            "artifactUri": "gs://models/half/1",
            "containerSpec": {"imageUri": image},
        }
        request = self.locations.models().upload(parent=self.parent, body={"model": model})
        return str(self.done(request)["model"])

    def deploy(self, model: str, **machine: Any) -> None:
        """Deploy a model on an endpoint of its own."""
        endpoints = self.locations.endpoints()
        made = self.done(endpoints.create(parent=self.parent, body={"displayName": self.name}))
        spec = {"machineType": "n1-standard-2", **machine}
        resources = {"machineSpec": spec, "minReplicaCount": 1}
        body = {"deployedModel": {"model": model, "dedicatedResources": resources}}
        self.done(endpoints.deployModel(endpoint=made["name"], body=body))


class Clouds:
    """The offline clouds as one row sees them: clients, and names that no other row has."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"report-{next(NUMBERS)}"
        self.aws = Aws(url, self.name)
        self.vertex = Vertex(url, self.name)

    def close(self) -> None:
        """Close all connections."""
        self.aws.close()
        self.vertex.close()


def _wait(read: Callable[[], Any], is_done: Callable[[Any], bool]) -> Any:
    end = time.monotonic() + DEADLINE_SECONDS
    while not is_done(found := read()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, shared_models: Path) -> Iterator[str]:
    """Give the URL of an emulator whose buckets `models` hold half/1 and half.tar.gz."""
    from cloudserve.local_server.clouds.emulator import Emulator

    running = Emulator(tmp_path_factory.mktemp("clouds"), "127.0.0.1", 0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(running.start(), loop).result(DEADLINE_SECONDS)
        _fill(running.url, shared_models / "tfs_half_plus_two_2v" / "123")
        yield running.url
    finally:
        asyncio.run_coroutine_threadsafe(running.stop(), loop).result(DEADLINE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _fill(url: str, model: Path) -> None:
    files = {str(path.relative_to(model)): path for path in model.rglob("*") if path.is_file()}
    aws = Aws(url, "set-up")
    aws.s3.create_bucket(Bucket="models")
    aws.s3.put_object(Bucket="models", Key="half.tar.gz", Body=_archive(files))
    aws.close()
    with warnings.catch_warnings():
        # google-api-core asks for grpcio-status, which this client does not use.
        warnings.simplefilter("ignore", ImportWarning)
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

    options = {"api_endpoint": url}
    with storage.Client("p", AnonymousCredentials(), client_options=options) as client:
        bucket = client.create_bucket("models")
        for name, path in files.items():
            bucket.blob(f"half/1/{name}").upload_from_filename(str(path))


def _archive(files: Mapping[str, Path]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, path in files.items():
            archive.add(path, f"half/1/{name}")
    return packed.getvalue()


@pytest.fixture
def clouds(emulator: str) -> Iterator[Clouds]:
    """Give the offline clouds to one row."""
    found = Clouds(emulator)
    yield found
    found.close()


@pytest.fixture
def answer_to(clouds: Clouds) -> Callable[[Callable[[Clouds], object]], str]:
    """Give what does a row's step and returns the failure's text as `CODE: MESSAGE`."""

    def answer(step: Callable[[Clouds], object]) -> str:
        from botocore.exceptions import ClientError
        from googleapiclient.errors import HttpError

        with pytest.raises((ClientError, HttpError, AssertionError)) as error:
            step(clouds)
        raised = error.value
        if isinstance(raised, ClientError):
            told = raised.response["Error"]
            return f"{told['Code']}: {told['Message']}"
        if isinstance(raised, HttpError):
            return f"{raised.status_code}: {raised.reason}"
        return str(raised)

    return answer
