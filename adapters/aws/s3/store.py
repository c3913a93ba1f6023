"""An S3 bucket as a BlobStore. A token is an object's ETag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cloudserve.errors import ConflictError
from cloudserve.known.blobs import RecordedBlobs
from cloudserve.known.tape import Tape
from cloudserve.storage.contract import Blob, Expect
from cloudserve.storage.events import Reporter
from cloudserve.storage.upload.send import send_file

from ..errors import code_of, status_of
from .parts import S3Parts
from .urls import FIRST_REGION

"""The region that CreateBucket must not be given (S3 API, CreateBucketConfiguration)."""
MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
CONFLICTS = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})


class S3Blobs(S3Parts, RecordedBlobs):
    """One bucket through boto3."""

    def ensure(self, reporter: Reporter) -> None:
        """Make the bucket, in the target's region, if it does not exist."""
        if self.exists():
            return
        reporter.line(f"make the bucket {self.url} in {self._region}")
        place = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        with self._translated(f"make the bucket {self.url}"):
            try:
                self._client.create_bucket(
                    Bucket=self._name, **(place if self._region != FIRST_REGION else {})
                )
            except ClientError as error:
                if code_of(error) != "BucketAlreadyOwnedByYou":
                    raise

    @property
    def tape(self) -> Tape:
        """Return the way of all reads."""
        return self._access.tape

    def _head(self, key: str) -> Blob | None:
        with self._translated(f"look at {self.url}/{key}"):
            try:
                answer = self._client.head_object(Bucket=self._name, Key=key)
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise
        return Blob(key, answer["ContentLength"], answer["ETag"], answer["Metadata"])

    def _read(self, key: str) -> tuple[bytes, str] | None:
        with self._translated(f"read {self.url}/{key}"):
            try:
                answer = self._client.get_object(Bucket=self._name, Key=key)
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise
            return answer["Body"].read(), str(answer["ETag"])

    def write(self, key: str, data: bytes, expect: Expect | str = Expect.ANYTHING) -> str:
        """Write an object atomically; raises ConflictError when `expect` does not hold."""
        with self._translated(f"write {self.url}/{key}"):
            try:
                done = self._client.put_object(
                    Bucket=self._name, Key=key, Body=data, **_condition(expect)
                )
            except ClientError as error:
                if not _is_conflict(error, expect):
                    raise
                token = self._ours(key, data, error)
                if token is not None:
                    return token
                raise ConflictError(
                    "the object is not as expected: another client wrote it",
                    where=f"{self.url}/{key}",
                    hint="run the command again: it reads what the bucket has now",
                ) from error
        return str(done["ETag"])

    def upload(self, key: str, path: Path, metadata: Mapping[str, str]) -> None:
        """Write a file of any size, in parts when it is large."""
        send_file(self, key, path, metadata)

    def _list(self, prefix: str) -> Iterator[Blob]:
        with self._translated(f"list {self.url}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2")
            try:
                for page in pages.paginate(Bucket=self._name, Prefix=prefix):
                    for entry in page.get("Contents", ()):
                        blob = Blob(entry["Key"], entry["Size"], entry["ETag"])
                        if not blob.is_folder:
                            yield blob
            except ClientError as error:
                if code_of(error) not in MISSING:
                    raise

    def delete(self, key: str) -> None:
        """Delete an object; do nothing if it does not exist."""
        with self._translated(f"delete {self.url}/{key}"):
            try:
                self._client.delete_object(Bucket=self._name, Key=key)
            except ClientError as error:
                if code_of(error) not in MISSING:
                    raise

    @cached_property
    def _client(self) -> Any:
        return self._access.client("s3")

    def _exists(self) -> bool:
        with self._translated(f"look for the bucket {self.url}"):
            try:
                self._client.head_bucket(Bucket=self._name)
            except ClientError as error:
                if status_of(error) == HTTPStatus.NOT_FOUND:
                    return False
                raise
        return True

    def _ours(self, key: str, data: bytes, error: ClientError) -> str | None:
        """Return the token if it was this write, whose answer was lost, that it collides with."""
        if not error.response["ResponseMetadata"].get("RetryAttempts"):
            return None
        stored = self.read(key)
        return stored[1] if stored and stored[0] == data else None


def _condition(expect: Expect | str) -> dict[str, str]:
    """Return PutObject's precondition (S3 user guide, conditional writes)."""
    match expect:
        case Expect.ANYTHING:
            return {}
        case Expect.ABSENT:
            return {"IfNoneMatch": "*"}
        case token:
            return {"IfMatch": token}


def _is_conflict(error: ClientError, expect: Expect | str) -> bool:
    # If-Match on an object that is gone answers NoSuchKey.
    gone = isinstance(expect, str) and code_of(error) == "NoSuchKey"
    return expect is not Expect.ANYTHING and (gone or status_of(error) in CONFLICTS)
