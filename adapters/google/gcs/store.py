"""A Google Cloud Storage bucket as a BlobStore. A token is an object's generation number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from google.api_core.exceptions import Conflict, NotFound, PreconditionFailed
from google.api_core.retry import Retry
from google.cloud.storage import Bucket

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.known.blobs import RecordedBlobs
from cloudserve.known.tape import Tape
from cloudserve.storage.contract import Blob, Expect
from cloudserve.storage.events import Reporter
from cloudserve.storage.upload.send import send_file

from .bucket import RETRY, worth_retrying
from .parts import DENIED, GcsParts
from .xml_api import TIMEOUT


class GcsBlobs(GcsParts, RecordedBlobs):
    """One bucket through google-cloud-storage; `emulator` is STORAGE_EMULATOR_HOST, or None."""

    def ensure(self, reporter: Reporter) -> None:
        """Make the bucket, in the target's region, if it does not exist."""
        if self.exists():
            return
        reporter.line(f"make the bucket {self.url} in {self._region}")
        with self._translated(f"make the bucket {self.url}"):
            try:
                self._client.create_bucket(
                    self._name, location=self._region, timeout=TIMEOUT, retry=RETRY
                )
            except Conflict as error:
                raise _taken(self.url, self._where) from error

    def location(self) -> str | None:
        """Return the bucket's location in upper case; None if it is missing or not readable.

        It is a region, a pair of them (NAM4) or a continent (US). The use of objects does not
        require the permission `storage.buckets.get`.
        """
        return self.tape.ask(f"location of {self.url}", self._location)

    def _location(self) -> str | None:
        try:
            bucket = self._look_up()
        except RemoteError as error:
            if error.status == DENIED:
                return None
            raise
        return None if bucket is None else str(bucket.location or "").upper()

    def missing_permissions(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return those permissions that the caller does not have on the bucket."""
        with self._translated(f"read the permissions on {self.url}"):
            held = self._bucket.test_iam_permissions(list(names), timeout=TIMEOUT, retry=RETRY)
        return tuple(name for name in names if name not in held)

    @property
    def tape(self) -> Tape:
        """Return the way of all reads."""
        return self._access.tape

    def _head(self, key: str) -> Blob | None:
        with self._translated(f"look at {self.url}/{key}"):
            blob = self._bucket.get_blob(key, timeout=TIMEOUT, retry=RETRY)
        if blob is None:
            return None
        return Blob(key, int(blob.size), str(blob.generation), dict(blob.metadata or {}))

    def _read(self, key: str) -> tuple[bytes, str] | None:
        blob = self._bucket.blob(key)
        with self._translated(f"read {self.url}/{key}"):
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
        with self._translated(f"write {self.url}/{key}"):
            try:
                blob.upload_from_string(
                    data,
                    content_type="application/octet-stream",
                    if_generation_match=_generation(expect),
                    timeout=TIMEOUT,
                    retry=Retry(predicate=worth_retrying, timeout=60.0, on_error=lost.append),
                )
            except PreconditionFailed as error:
                stored = self.read(key) if lost else None
                if stored and stored[0] == data:  # it was this write, whose answer was lost
                    return stored[1]
                raise ConflictError(
                    "the object is not as expected: another client wrote it",
                    where=f"{self.url}/{key}",
                    hint="run the command again: it reads what the bucket has now",
                ) from error
        return str(blob.generation)

    def upload(self, key: str, path: Path, metadata: Mapping[str, str]) -> None:
        """Write a file of any size, in parts when it is large."""
        send_file(self, key, path, metadata)

    def _list(self, prefix: str) -> Iterator[Blob]:
        with self._translated(f"list {self.url}/{prefix}"):
            try:
                for entry in self._client.list_blobs(
                    self._name, prefix=prefix, timeout=TIMEOUT, retry=RETRY
                ):
                    blob = Blob(entry.name, int(entry.size), str(entry.generation))
                    if not blob.is_folder:
                        yield blob
            except NotFound:
                return

    def delete(self, key: str) -> None:
        """Delete an object; do nothing if it does not exist."""
        with self._translated(f"delete {self.url}/{key}"):
            try:
                self._bucket.blob(key).delete(timeout=TIMEOUT, retry=RETRY)
            except NotFound:
                return

    def _exists(self) -> bool:
        # The use of objects does not need the permission `storage.buckets.get`.
        try:
            return self._look_up() is not None
        except RemoteError as error:
            if error.status == DENIED:
                return True
            raise

    def _look_up(self) -> Bucket | None:
        with self._translated(f"look for the bucket {self.url}"):
            bucket: Bucket | None = self._client.lookup_bucket(
                self._name, timeout=TIMEOUT, retry=RETRY
            )
            return bucket


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
