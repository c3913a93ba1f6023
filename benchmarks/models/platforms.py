"""The offline clouds as `deployed.py` uses them: each deploys a folder of its bucket, and is asked.

The clients are the clouds' own SDKs, so that no check of cloudserve's stands before a deployment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for the tests' clients of the clouds

from botocore.exceptions import ClientError
from googleapiclient.errors import HttpError

from tests.fidelity.clients import IMAGE, ROLE, TENSORFLOW, Clouds, RefusedError

TARGETS = f"""
models: {{half: {{path: half}}}}
targets:
  sagemaker:
    provider: sagemaker
    bucket: s3://models
    region: us-east-1
    role_arn: {ROLE}
    image: {IMAGE}
  vertex:
    provider: vertex
    project: benchmark
    bucket: gs://models
    tensorflow_version: "2.15"
  ai-platform:
    provider: ai-platform
    project: benchmark
    bucket: gs://models
"""
Ask = Callable[[Mapping[str, Any]], object]
Platform = Callable[[Clouds, str], Ask]
"""Deploys the folder of a version; raises one of FAILURES."""
FAILURES = (ClientError, HttpError, RefusedError)


def put(clouds: Clouds, folder: Path, name: str) -> None:
    """Put a version's files into the buckets of both clouds."""
    bucket = clouds.gcs.bucket("models")
    for path in (path for path in folder.rglob("*") if path.is_file()):
        key, content = f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()
        clouds.aws.s3.put_object(Bucket="models", Key=key, Body=content)
        bucket.blob(key).upload_from_string(content)


def on_sagemaker(clouds: Clouds, folder: str) -> Ask:
    """Deploy the folder above the version, whose name is a number."""
    above = folder.rpartition("/")[0]
    data = {"S3Uri": f"s3://models/{above}/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": IMAGE, "ModelDataSource": {"S3DataSource": data}}
    aws = clouds.aws
    aws.sagemaker.create_model(
        ModelName=aws.name, ExecutionRoleArn=ROLE, PrimaryContainer=container
    )
    aws.create_config()
    aws.create_endpoint()
    return lambda body: aws.invoke(json.dumps(body).encode())


def on_vertex(clouds: Clouds, folder: str) -> Ask:
    """Deploy the version's files on an endpoint with TensorFlow's prebuilt image."""
    vertex = clouds.vertex
    endpoint = vertex.deploy(vertex.upload(TENSORFLOW, folder))
    return lambda body: (
        vertex.locations.endpoints().rawPredict(endpoint=endpoint, body=body).execute()
    )


def on_ai_platform(clouds: Clouds, folder: str) -> Ask:
    """Make a version of the runtime 2.11."""
    clouds.ml.create_model()
    clouds.ml.create_version(deploymentUri=f"gs://models/{folder}")
    return lambda body: clouds.ml.predict(**body)


def text_of(failure: Exception) -> str:
    """Return what a client shows of a failure."""
    return failure.reason if isinstance(failure, HttpError) else str(failure)


PLATFORMS: dict[str, Platform] = {
    "sagemaker": on_sagemaker,
    "vertex": on_vertex,
    "ai-platform": on_ai_platform,
}
