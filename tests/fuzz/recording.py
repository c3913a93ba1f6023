"""What the official SDKs send to the offline clouds, recorded between them and an emulator."""

from __future__ import annotations

import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .wire import Message, parse_recording

READ_BYTES = 1 << 16
MIB = 1 << 20
BUCKET, PROJECT = "fuzzed", "p"
ROLE = "arn:aws:iam::000000000000:role/serving"
PARENT = f"projects/{PROJECT}/locations/us-central1"


class Relay:
    """Passes connections on to a server and keeps what the clients wrote."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._recordings: list[bytearray] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                recording = bytearray()
                self._recordings.append(recording)
                for pair in ((client, server, recording), (server, client, bytearray())):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()

    def messages(self) -> Iterator[Message]:
        """Yield all requests so far."""
        for recording in self._recordings:
            yield from parse_recording(bytes(recording))

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError), source, target:
        while data := source.recv(READ_BYTES):
            kept += data
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


def record(port: int, model: Path) -> list[Message]:
    """Drive every SDK against an emulator once; `model` is a SavedModel. Returns the requests."""
    relay = Relay(port)
    url = f"http://127.0.0.1:{relay.port}"
    try:
        for story in (_s3, _sagemaker, _gcs, _ai_platform, _vertex):
            story(url, model)
        return list(relay.messages())
    finally:
        relay.close()


@contextmanager
def _aws(url: str, service: str) -> Iterator[Any]:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        service,
        endpoint_url=url,
        aws_access_key_id="cloudserve",
        aws_secret_access_key="cloudserve",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}),
    )
    yield client
    client.close()


def _s3(url: str, model: Path) -> None:
    with _aws(url, "s3") as s3:
        s3.create_bucket(Bucket=BUCKET)
        for path in (path for path in model.rglob("*") if path.is_file()):
            s3.upload_file(str(path), BUCKET, f"m/1/{path.relative_to(model)}")
        s3.put_object(Bucket=BUCKET, Key="a", Body=b"hello", Metadata={"k": "v"}, IfNoneMatch="*")
        s3.copy_object(Bucket=BUCKET, Key="b", CopySource=f"{BUCKET}/a")
        s3.head_object(Bucket=BUCKET, Key="b", ChecksumMode="ENABLED")
        s3.get_object(Bucket=BUCKET, Key="a", Range="bytes=1-3")["Body"].read()
        s3.list_objects_v2(Bucket=BUCKET, Prefix="m/", Delimiter="/", MaxKeys=2)
        s3.list_objects(Bucket=BUCKET)
        s3.get_bucket_location(Bucket=BUCKET)
        s3.head_bucket(Bucket=BUCKET)
        s3.list_buckets()
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "b"}], "Quiet": True})
        name = {"Bucket": BUCKET, "Key": "parts"}
        s3.create_multipart_upload(**name)
        upload = s3.create_multipart_upload(**name)["UploadId"]
        part = s3.upload_part(**name, UploadId=upload, PartNumber=1, Body=b"part")
        s3.list_parts(**name, UploadId=upload)
        s3.list_multipart_uploads(Bucket=BUCKET)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(**name, UploadId=upload, MultipartUpload=parts)
        s3.delete_object(**name)


def _sagemaker(url: str, _: Path) -> None:
    account, repository = "763104351884", "tensorflow-inference:2.19-cpu"
    image = f"{account}.dkr.ecr.us-east-1.amazonaws.com/{repository}"
    source = {
        "S3DataSource": {
            "S3Uri": f"s3://{BUCKET}/m/",
            "S3DataType": "S3Prefix",
            "CompressionType": "None",
        }
    }
    with _aws(url, "sagemaker") as client:
        client.create_model(
            ModelName="m",
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": image, "ModelDataSource": source},
        )
        variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large"}
        client.create_endpoint_config(
            EndpointConfigName="c", ProductionVariants=[variant | {"InitialInstanceCount": 1}]
        )
        made = client.create_endpoint(EndpointName="e", EndpointConfigName="c")
        client.get_waiter("endpoint_in_service").wait(
            EndpointName="e", WaiterConfig={"Delay": 1, "MaxAttempts": 300}
        )
        tags = [{"Key": "k", "Value": "v"}]
        client.add_tags(ResourceArn=made["EndpointArn"], Tags=tags)
        client.list_tags(ResourceArn=made["EndpointArn"])
        client.list_models(MaxResults=5)
        client.list_endpoints(NameContains="e")
        client.describe_endpoint_config(EndpointConfigName="c")
        client.describe_model(ModelName="m")
    with _aws(url, "sagemaker-runtime") as client:
        body = {"Body": b'{"instances": [1.0, 2.0]}', "ContentType": "application/json"}
        client.invoke_endpoint(EndpointName="e", **body)
    with _aws(url, "sts") as client:
        client.get_caller_identity()


def _gcs(url: str, model: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

    options = {"api_endpoint": url}
    client = storage.Client(PROJECT, AnonymousCredentials(), client_options=options)
    bucket = client.create_bucket(BUCKET)
    for path in (path for path in model.rglob("*") if path.is_file()):
        bucket.blob(f"m/1/{path.relative_to(model)}").upload_from_filename(str(path))
    blob = bucket.blob("a")
    blob.metadata = {"k": "v"}
    blob.upload_from_string(b"hello", content_type="text/plain", if_generation_match=0)
    blob.cache_control = "no-store"
    blob.patch()
    blob.update()
    blob.download_as_bytes(start=1, end=3)
    bucket.blob("copied").rewrite(blob)
    bucket.copy_blob(blob, bucket, "copied")
    bucket.blob("joined").compose([blob, bucket.blob("copied")])
    chunked = bucket.blob("chunked", chunk_size=MIB // 4)
    chunked.upload_from_string(b"x" * (MIB // 2 + 5))
    session = bucket.blob("resumed").create_resumable_upload_session(size=5)
    client._http.put(session, b"hel", headers={"content-range": "bytes 0-2/5"})
    list(client.list_blobs(bucket, prefix="m/", delimiter="/", page_size=2))
    list(client.list_buckets())
    bucket.reload()
    blob.reload()
    bucket.blob("copied").delete()
    client._http.post(f"{url}/batch/storage/v1", b"", headers={})
    client.close()


def _ai_platform(url: str, _: Path) -> None:
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from googleapiclient.discovery import build

    options = ClientOptions(api_endpoint=url)
    credentials = AnonymousCredentials()
    ml = build("ml", "v1", static_discovery=True, credentials=credentials, client_options=options)
    models = ml.projects().models()
    models.create(
        parent=f"projects/{PROJECT}", body={"name": "m", "regions": ["us-central1"]}
    ).execute()
    version = {
        "name": "v",
        "deploymentUri": f"gs://{BUCKET}/m/1",
        "runtimeVersion": "2.11",
        "framework": "TENSORFLOW",
        "pythonVersion": "3.7",
        "machineType": "n1-standard-2",
    }
    name = f"projects/{PROJECT}/models/m"
    operation = models.versions().create(parent=name, body=version).execute()
    _wait(lambda: ml.projects().operations().get(name=operation["name"]).execute().get("done"))
    models.versions().setDefault(name=f"{name}/versions/v", body={}).execute()
    models.versions().list(parent=name, pageSize=1).execute()
    models.patch(name=name, body={"labels": {"k": "v"}}, updateMask="labels").execute()
    models.list(parent=f"projects/{PROJECT}", filter="labels.k=v").execute()
    ml.projects().predict(name=name, body={"instances": [1.0, 2.0]}).execute()
    ml.close()


def _wait(done: Callable[[], Any]) -> None:
    while not done():
        pass


def _vertex(url: str, _: Path) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.auth.transport.requests import AuthorizedSession

    session = AuthorizedSession(AnonymousCredentials())

    def call(method: str, path: str, **body: Any) -> Any:
        answer = session.request(method, f"{url}/v1/{path}", json=body or None)
        answer.raise_for_status()
        return answer.json()

    def finish(operation: Any) -> Any:
        _wait(lambda: call("GET", operation["name"]).get("done"))
        return call("GET", operation["name"]).get("response", {})

    image = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
    model = {
        "displayName": "m",
        "labels": {"k": "v"},
        "artifactUri": f"gs://{BUCKET}/m/1",
        "containerSpec": {"imageUri": image},
    }
    uploaded = finish(call("POST", f"{PARENT}/models:upload", model=model))["model"]
    call("PATCH", f"{uploaded}?updateMask=labels", labels={"k": "w"})
    call("GET", f"{PARENT}/models?filter=labels.k%3Dw&pageSize=1")
    call("POST", f"{uploaded}:mergeVersionAliases", versionAliases=["live"])
    endpoint = finish(call("POST", f"{PARENT}/endpoints", displayName="e"))["name"]
    resources = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
    deployed = {"model": uploaded, "dedicatedResources": resources, "displayName": "d"}
    operation = call(
        "POST", f"{endpoint}:deployModel", deployedModel=deployed, trafficSplit={"0": 100}
    )
    finish(operation)
    call("GET", endpoint)
    call("POST", f"{endpoint}:predict", instances=[1.0, 2.0])
    call("POST", f"{endpoint}:rawPredict", instances=[1.0, 2.0])
    call("PATCH", f"{endpoint}?updateMask=displayName", displayName="f")
    call("GET", f"{PARENT}/operations?pageSize=2")
    session.close()
