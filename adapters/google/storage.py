"""A Google Cloud Storage bucket as a BlobStore. A token is an object's generation number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
import urllib3.exceptions
from google.api_core.exceptions import (
    Conflict,
    GoogleAPICallError,
    NotFound,
    PreconditionFailed,
)
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage.exceptions import InvalidResponse

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.release.provider import Blob, Expect, Notify

from ..files import readable
from .credentials import Access
from .errors import RETRYABLE, translated

CHUNK = 32 * 2**20
"""Bytes of a resumable upload's requests: what is sent again after a lost connection."""
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two reads."""
ENDPOINT = "https://storage.googleapis.com"


class GcsBlobs:
    """One bucket through google-cloud-storage; `emulator` is STORAGE_EMULATOR_HOST, or None."""

    def __init__(
        self, name: str, *, project: str, region: str, access: Access, emulator: str | None = None
    ) -> None:
        self._name = name
        self._project = project
        self._region = region
        self._access = access
        self._emulator = emulator

    @property
    def url(self) -> str:
        """Return `gs://NAME`."""
        return f"gs://{self._name}"

    def ensure(self, notify: Notify) -> None:
        """Make the bucket, in the target's region, if it is not there."""
        with translated(f"look for the bucket {self.url}", self._where):
            found = self._client.lookup_bucket(self._name, timeout=TIMEOUT, retry=RETRY)
        if found is not None:
            return
        notify(f"make the bucket {self.url} in {self._region}")
        with translated(f"make the bucket {self.url}", self._where):
            try:
                self._client.create_bucket(
                    self._name, location=self._region, timeout=TIMEOUT, retry=RETRY
                )
            except Conflict as error:
                raise _taken(self.url, self._where) from error

    def head(self, key: str) -> Blob | None:
        """Return an object's entry with its metadata, or None when it or the bucket is missing."""
        with translated(f"look at {self.url}/{key}", self._where):
            found = self._bucket.get_blob(key, timeout=TIMEOUT, retry=RETRY)
        if found is None:
            return None
        return Blob(key, int(found.size), str(found.generation), dict(found.metadata or {}))

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and generation, or None when it or the bucket is missing."""
        blob = self._bucket.blob(key)
        with translated(f"read {self.url}/{key}", self._where):
            try:
                data = blob.download_as_bytes(timeout=TIMEOUT, retry=RETRY)
            except NotFound:
                return None
        # The generation comes with the answer's own headers, so it is that of these bytes.
        return bytes(data), str(blob.generation)

    def write(self, key: str, data: bytes, expect: Expect | str = Expect.ANYTHING) -> str:
        """Write an object atomically; raises ConflictError when `expect` does not hold."""
        blob = self._bucket.blob(key)
        lost: list[Exception] = []
        with self._changing(f"write {self.url}/{key}"):
            try:
                blob.upload_from_string(
                    data,
                    content_type="application/octet-stream",
                    if_generation_match=_generation(expect),
                    timeout=TIMEOUT,
                    retry=Retry(predicate=_worth_retrying, timeout=60.0, on_error=lost.append),
                )
            except PreconditionFailed as error:
                found = self.read(key) if lost else None
                if found and found[0] == data:  # it was this write, whose answer was lost
                    return found[1]
                raise ConflictError(
                    "the object is not as expected: somebody else wrote it",
                    where=f"{self.url}/{key}",
                ) from error
        return str(blob.generation)

    def upload(self, key: str, path: Path, metadata: Mapping[str, str]) -> None:
        """Write a file, streamed; the service's CRC32C must be the file's."""
        blob = self._bucket.blob(key, chunk_size=CHUNK)
        blob.metadata = dict(metadata)
        with readable(path), self._changing(f"upload {path.name} to {self.url}/{key}"):
            blob.upload_from_filename(path, checksum="crc32c", timeout=TIMEOUT, retry=RETRY)

    def list(self, prefix: str) -> Iterator[Blob]:
        """Yield the entries under a prefix in key order."""
        with translated(f"list {self.url}/{prefix}", self._where):
            try:
                for found in self._client.list_blobs(
                    self._name, prefix=prefix, timeout=TIMEOUT, retry=RETRY
                ):
                    yield Blob(found.name, int(found.size), str(found.generation))
            except NotFound:
                return

    def delete(self, key: str) -> None:
        """Delete an object; a missing one is no error."""
        with translated(f"delete {self.url}/{key}", self._where):
            try:
                self._bucket.blob(key).delete(timeout=TIMEOUT, retry=RETRY)
            except NotFound:
                return

    @property
    def _where(self) -> str:
        return self._emulator or ENDPOINT

    @cached_property
    def _client(self) -> Any:
        if self._emulator is None:
            return storage.Client(project=self._project, credentials=self._access.credentials)
        return storage.Client(
            project=self._project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": self._emulator},
            use_auth_w_custom_endpoint=False,
        )

    @property
    def _bucket(self) -> Any:
        with translated(f"open {self.url}", self._where):
            return self._client.bucket(self._name)

    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        try:
            with translated(what, self._where):
                yield
        except RemoteError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                error.hint = f"make the bucket {self.url} first, or correct the target's `bucket`"
            raise


def _generation(expect: Expect | str) -> int | None:
    """Return the precondition: generation 0 is "absent" (GCS, request preconditions)."""
    match expect:
        case Expect.ANYTHING:
            return None
        case Expect.ABSENT:
            return 0
        case token:
            return int(token)


def _taken(url: str, where: str) -> RemoteError:
    return RemoteError(
        f"make the bucket {url}: the name is taken by another project",
        where=where,
        hint="bucket names are global; choose another for the target's `bucket`",
        status=409,
    )


def _worth_retrying(error: Exception) -> bool:
    """Retry what may pass, but not where nobody listens: that is told at once."""
    if isinstance(error, GoogleAPICallError):
        return error.code in RETRYABLE
    if isinstance(error, InvalidResponse):
        return error.response.status_code in RETRYABLE
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return False
    return isinstance(
        error,
        (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            urllib3.exceptions.ProtocolError,
        ),
    )


# Every call here may be repeated: a write is the same bytes again, or has its precondition.
RETRY = Retry(predicate=_worth_retrying, timeout=60.0)
