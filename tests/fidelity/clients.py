"""The clouds' own SDKs as a row of a table uses them, with names that no other row has."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest

with warnings.catch_warnings():
    # google-api-core asks for grpcio-status, which these clients do not use.
    warnings.simplefilter("ignore", ImportWarning)
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError, WaiterError
    from google.api_core.client_options import ClientOptions
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage
    from googleapiclient.discovery import build
    from googleapiclient.errors import HttpError

ROLE = "arn:aws:iam::000000000000:role/serving"
ECR = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = f"{ECR}/tensorflow-inference:2.19-cpu"
TENSORFLOW = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
NUMBERS = itertools.count(1)


class RefusedError(Exception):
    """What a cloud tells of a failure elsewhere than in an HTTP error."""


class Aws:
    """SageMaker and S3 through boto3. Names are one row's own; models are in `s3://models/`."""

    def __init__(self, url: str, name: str, region: str = "us-east-1") -> None:
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

    def create_config(self, config: str = "", /, **variant: Any) -> None:
        """Create an endpoint configuration of the row's model, by default of the row's name."""
        fields: dict[str, Any] = {"VariantName": "v", "ModelName": self.name, **variant}
        if "ServerlessConfig" not in fields:
            fields = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **fields}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=config or self.name, ProductionVariants=[fields]
        )

    def create_endpoint(self) -> None:
        """Create the row's endpoint and wait; raises RefusedError with its FailureReason."""
        self.sagemaker.create_endpoint(EndpointName=self.name, EndpointConfigName=self.name)
        self.wait("endpoint_in_service", "EndpointStatus", EndpointName=self.name)

    def deploy(self, **container: Any) -> None:
        """Create the row's model, configuration and endpoint, and wait."""
        self.create_model(**container)
        self.create_config()
        self.create_endpoint()

    def wait(self, waiter: str, status: str, /, **arguments: str) -> None:
        """Wait by a waiter of the SDK; raises RefusedError with the FailureReason."""
        config = {"Delay": 0.1, "MaxAttempts": 600}
        try:
            self.sagemaker.get_waiter(waiter).wait(**arguments, WaiterConfig=config)
        except WaiterError as error:
            result = error.last_response
            raise RefusedError(f"{result[status]}: {result['FailureReason']}") from error

    def invoke(self, body: bytes, content_type: str = "application/json", **target: str) -> None:
        """Ask the row's endpoint."""
        self.runtime.invoke_endpoint(
            EndpointName=self.name, Body=body, ContentType=content_type, **target
        )


class Vertex:
    """Vertex AI through googleapiclient, in a project of one row; models are in `gs://models/`."""

    def __init__(self, url: str, name: str, region: str = "us-central1") -> None:
        self.name = name
        self.parent = f"projects/{name}/locations/{region}"
        self._service = _google("aiplatform", url)
        self.locations = self._service.projects().locations()

    def close(self) -> None:
        """Close the client's connection."""
        self._service.close()

    def done(self, request: Any) -> Any:
        """Execute a request and wait for its operation; raises RefusedError for its error."""
        name = request.execute()["name"]
        resource = self.locations.endpoints() if "/endpoints/" in name else self.locations.models()
        ended = resource.operations().wait(name=name, timeout="60s").execute()
        if "error" in ended:
            raise RefusedError(f"{ended['error']['code']}: {ended['error']['message']}")
        return ended["response"]

    def upload(self, image: str = TENSORFLOW, artifact: str = "half/1", **fields: Any) -> str:
        """Upload a model of a bucket's folder for a container image and return its name."""
        model = {
            "displayName": self.name,
            "artifactUri": f"gs://models/{artifact}",
            "containerSpec": {"imageUri": image},
        }
        body = {"model": model, **fields}
        return str(
            self.done(self.locations.models().upload(parent=self.parent, body=body))["model"]
        )

    def endpoint(self, **fields: Any) -> str:
        """Create the row's endpoint and return its name."""
        body = {"displayName": self.name, **fields}
        request = self.locations.endpoints().create(parent=self.parent, body=body)
        return str(self.done(request)["name"])

    def deploy(self, model: str, endpoint: str = "", split: Any = None, **machine: Any) -> str:
        """Deploy a model, on an endpoint of its own unless one is given; return the endpoint."""
        endpoint = endpoint or self.endpoint()
        spec = {"machineType": "n1-standard-2", **machine}
        resources = {"machineSpec": spec, "minReplicaCount": 1}
        body = {
            "deployedModel": {"model": model, "dedicatedResources": resources},
            "trafficSplit": {"0": 100} if split is None else split,
        }
        self.done(self.locations.endpoints().deployModel(endpoint=endpoint, body=body))
        return endpoint

    def predict(self, endpoint: str, **body: Any) -> Any:
        """Ask an endpoint."""
        return self.locations.endpoints().predict(endpoint=endpoint, body=body).execute()


class AiPlatform:
    """AI Platform's ml v1 through googleapiclient, in a project of one row."""

    def __init__(self, url: str, name: str) -> None:
        self.parent = f"projects/{name}"
        self.model = f"{self.parent}/models/half"
        self._service = _google("ml", url)
        self.models = self._service.projects().models()
        self.operations = self._service.projects().operations()

    def close(self) -> None:
        """Close the client's connection."""
        self._service.close()

    def create_model(self, name: str = "half") -> None:
        """Create a model, by default the row's."""
        self.models.create(parent=self.parent, body={"name": name}).execute()

    def create_version(self, name: str = "v1", **fields: Any) -> None:
        """Create a version of the row's model and wait; raises RefusedError for its error."""
        body = {
            "name": name,
            "deploymentUri": "gs://models/half/1",
            "runtimeVersion": "2.11",
            "pythonVersion": "3.7",
            "framework": "TENSORFLOW",
            "machineType": "n1-standard-2",
        }
        body = {key: value for key, value in {**body, **fields}.items() if value is not None}
        operation = self.models.versions().create(parent=self.model, body=body).execute()
        request = self.operations.get(name=operation["name"])
        while not (ended := request.execute()).get("done"):
            pass
        if "error" in ended:
            raise RefusedError(f"{ended['error']['code']}: {ended['error']['message']}")

    def predict(self, **body: Any) -> None:
        """Ask the row's model; raises RefusedError for a failure that comes as HTTP 200."""
        answer = self._service.projects().predict(name=self.model, body=body).execute()
        if "error" in answer:
            raise RefusedError(f"200: {answer['error']}")


class Clouds:
    """The offline clouds as one row sees them: clients, and names that no other row has."""

    def __init__(self, url: str, name: str = "") -> None:
        self.url = url
        self.name = name or f"report-{next(NUMBERS)}"
        self.aws = Aws(url, self.name)
        self.vertex = Vertex(url, self.name)
        self.ml = AiPlatform(url, self.name)
        self.gcs = storage.Client(
            self.name, AnonymousCredentials(), client_options={"api_endpoint": url}
        )

    def close(self) -> None:
        """Close all connections."""
        for client in (self.aws, self.vertex, self.ml, self.gcs):
            client.close()


def _google(service: str, url: str) -> Any:
    return build(
        service,
        "v1",
        static_discovery=True,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=url),
    )


def answer_to(step: Callable[[Clouds], object], clouds: Clouds) -> str:
    """Do a row's step, which must fail, and return the failure's text as `CODE: MESSAGE`."""
    try:
        step(clouds)
    except ClientError as error:
        details = error.response["Error"]
        return f"{details['Code']}: {details['Message']}"
    except HttpError as error:
        return f"{error.status_code}: {error.reason}"
    except GoogleAPICallError as error:
        return f"{error.code}: {error.message}"
    except RefusedError as error:
        return str(error)
    pytest.fail("the rehearsal is green")


def check_refused(
    done: Callable[[Clouds], object], cloud: str, written: str, rehearsal: str, clouds: Clouds
) -> None:
    """Fail unless a row is complete and its step fails with the text that `rehearsal` matches."""
    assert all((cloud, written)), "a row says what the cloud answers and where that is written"
    answer = answer_to(done, clouds)
    assert re.fullmatch(rehearsal, answer, re.DOTALL), answer
