"""Deletes over the APIs what fuzzing made, so that what a server still holds afterwards is a leak.

The names are read from the server's databases: a request under a changed project or region makes
resources that no list of the recorded ones shows.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .wire import Connection, Message, addressed

PASSES = 20
"""An endpoint is deleted once its models are undeployed, and a bucket once its objects are."""
CANCELLED = 499
"""What Google Cloud Storage answers to the end of an upload."""
KEPT = {"aws/tags", "aws/transform-job", "google/operation", "vertex/operation"}
"""What the services keep themselves, or delete with its owner; it is on disk alone."""

Row = tuple[str, dict[str, Any]]


class Sweep:
    """Deletes everything that the emulator on this port, with this data folder, has."""

    def __init__(self, data: Path, port: int) -> None:
        self._data, self._port = data, port
        self._connection = Connection(port)

    async def run(self) -> list[str]:
        """Delete; return what is left, in the words of the last refusals."""
        refusals: list[str] = []
        for _ in range(PASSES):
            refusals = []
            for message in [*self._resources(), *self._objects()]:
                answer = await self._connection.send(addressed(message, self._port))
                if answer is None or (answer.status >= 400 and answer.status != CANCELLED):
                    said = answer.body[:200] if answer else b"no answer"
                    refusals.append(f"{message.method!r} {message.target!r}: {said!r}")
            if not refusals and not list(self._resources()):
                break
        self._connection.close()
        return refusals

    def _rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        uri = f"file:{self._data / database}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return connection.execute(query).fetchall()

    def _resources(self) -> Iterator[Message]:
        rows = self._rows("clouds.db", "SELECT kind, name, document FROM resources")
        for kind, name, document in rows:
            if kind not in KEPT:
                yield from DELETIONS[kind]((name, json.loads(document)))

    def _objects(self) -> Iterator[Message]:
        for table, deletion in S3_DELETIONS.items():
            for row in self._rows("s3/objects.db", f"SELECT * FROM {table}"):
                yield _signed(b"DELETE", deletion(*row), "us-east-1", "s3")
        for table, deletion in GCS_DELETIONS.items():
            for row in self._rows("gcs/objects.db", f"SELECT * FROM {table}"):
                yield Message(b"DELETE", deletion(*row).encode(), _PLAIN)


_PLAIN = ((b"Host", b"localhost"), (b"Content-Type", b"application/json"))
S3_DELETIONS: dict[str, Callable[..., str]] = {
    "objects": lambda bucket, key, *_: f"/{_quoted(bucket)}/{quote(key)}",
    "uploads": lambda name, bucket, key, *_: f"/{_quoted(bucket)}/{quote(key)}?uploadId={name}",
    "buckets": lambda name, *_: f"/{_quoted(name)}",
}
GCS_DELETIONS: dict[str, Callable[..., str]] = {
    "sessions": lambda name, bucket, *_: (
        f"/upload/storage/v1/b/{_quoted(bucket)}/o?uploadType=resumable&upload_id={name}"
    ),
    "objects": lambda bucket, key, *_: f"/storage/v1/b/{_quoted(bucket)}/o/{_quoted(key)}",
    "buckets": lambda name, *_: f"/storage/v1/b/{_quoted(name)}",
}


_PROJECT = re.compile(r"projects/(.+?)/((?:locations|models)/.+)")  # one may have slashes


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _signed(method: bytes, target: str, region: str, service: str, *headers: Any) -> Message:
    scope = f"Credential=k/20260101/{region}/{service}/aws4_request"
    signature = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
    values = (*_PLAIN[:1], (b"Authorization", signature.encode()), *headers)
    return Message(method, target.encode(), values)


def _google(method: bytes, target: str, **body: Any) -> Message:
    content = json.dumps(body).encode() if body else b""
    match = _PROJECT.fullmatch(target)
    assert match is not None
    path = f"/v1/projects/{_quoted(match[1])}/{quote(match[2], safe='/:')}"
    return Message(method, path.encode(), _PLAIN, content)


def _undeploy_and_delete(row: Row) -> Iterator[Message]:
    """Undeploy an endpoint's models, the traffic at the last of them; delete it without any."""
    name, endpoint = row
    *others, last = [model["id"] for model in endpoint.get("deployedModels", ())] or [None]
    for each in others:
        split = {last: 100}
        yield _google(b"POST", f"{name}:undeployModel", deployedModelId=each, trafficSplit=split)
    if last is not None and not others:
        yield _google(b"POST", f"{name}:undeployModel", deployedModelId=last)
    if last is None:
        yield _google(b"DELETE", name)


def _delete(row: Row) -> Iterator[Message]:
    yield _google(b"DELETE", row[0])


def _of_aws(operation: str, member: str, service: str = "SageMaker") -> Any:
    """Return the deletion of a resource whose record is named REGION/NAME."""

    def deletion(row: Row) -> Iterator[Message]:
        region, _, name = row[0].partition("/")
        target = (b"X-Amz-Target", f"{service}.{operation}".encode())
        kind = (b"Content-Type", b"application/x-amz-json-1.1")
        message = _signed(b"POST", "/", region, service.lower(), target, kind)
        value = [name] if member.endswith("s") else name
        body = json.dumps({member: value}).encode()
        yield Message(message.method, message.target, message.headers, body)

    return deletion


DELETIONS: dict[str, Callable[[Row], Iterator[Message]]] = {
    "aws/alarm": _of_aws("DeleteAlarms", "AlarmNames", "GraniteServiceVersion20100801"),
    "aws/endpoint": _of_aws("DeleteEndpoint", "EndpointName"),
    "aws/endpoint-config": _of_aws("DeleteEndpointConfig", "EndpointConfigName"),
    "aws/model": _of_aws("DeleteModel", "ModelName"),
    "aws/model-package": _of_aws("DeleteModelPackage", "ModelPackageName"),
    "aws/model-package-group": _of_aws("DeleteModelPackageGroup", "ModelPackageGroupName"),
    "google/model": _delete,
    "google/version": _delete,
    "vertex/endpoint": _undeploy_and_delete,
    "vertex/job": _delete,
    "vertex/model": _delete,
    "vertex/version": lambda _: iter(()),
}
