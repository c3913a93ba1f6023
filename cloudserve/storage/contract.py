"""The interface of a bucket: `BlobStore`, and `PartStore` for transfers in parts.

Parts are numbered from 1, as S3 and the XML API of Google Cloud Storage number them. Every body is
sent with a checksum that the service verifies before it acknowledges the bytes. A mismatch is a
retryable error, because the file still has the right bytes.

No method retries: the transfer does (`retry`), which reports each retry and can be stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol, runtime_checkable

from cloudserve.errors import RemoteError
from cloudserve.storage.events import Reporter
from cloudserve.storage.upload.file_slice import FileSlice


class Expect(Enum):
    """A precondition on the present object of a key."""

    ANYTHING = "anything"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Blob:
    """An object's listing entry. `token` changes with each write (S3 ETag, GCS generation)."""

    key: str
    size: int
    token: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The user metadata; empty in listings, which do not include it."""

    @property
    def is_folder(self) -> bool:
        """Return whether this is a "folder" of a console or of TensorFlow's GCS writer.

        Buckets have no folders: such tools write an empty object whose key ends with a slash.
        """
        return self.key.endswith("/") and self.size == 0


class BlobStore(Protocol):
    """One bucket. All methods raise RemoteError (status, what, where) if the service refuses."""

    @property
    def url(self) -> str:
        """Return the bucket as a URL without a trailing slash: `gs://bucket`."""
        ...

    def exists(self) -> bool:
        """Return whether the bucket exists."""
        ...

    def ensure(self, reporter: Reporter) -> None:
        """Create the bucket if it does not exist."""
        ...

    def head(self, key: str) -> Blob | None:
        """Return the object's entry with its metadata, or None if there is no object."""
        ...

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and token, or None if there is no object."""
        ...

    def write(self, key: str, data: bytes, expect: Expect | str = Expect.ANYTHING) -> str:
        """Write an object atomically and return its token.

        A string `expect` is the token that the present object must have. Raises ConflictError, and
        writes nothing, if the precondition does not hold.
        """
        ...

    def upload(self, key: str, path: Path, metadata: Mapping[str, str]) -> None:
        """Write a file of any size, streamed and checksummed end to end."""
        ...

    def list(self, prefix: str) -> Iterator[Blob]:
        """Yield the entries under a prefix in key order; nothing if the bucket does not exist.

        Folders (`Blob.is_folder`) are left out.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete an object; a missing one is ignored."""
        ...


class UploadGoneError(RemoteError):
    """The multipart upload no longer exists: another client completed or aborted it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a service has received: number, size and identification."""

    number: int
    size: int
    token: str
    """The ETag, which the completion must repeat."""
    checksum: str = ""
    """The part's checksum in base64; empty if the service does not list it."""


@runtime_checkable
class PartStore(BlobStore, Protocol):
    """A bucket that supports transfers. All methods raise RemoteError if the service refuses."""

    def put(self, key: str, body: FileSlice, metadata: Mapping[str, str]) -> None:
        """Write an object in one request; the bytes are verified before the object appears."""
        ...

    def open_uploads(self, key: str) -> tuple[str, ...]:
        """Return the ids of the key's open multipart uploads, newest first.

        Returns () if listing is not permitted; nothing is resumed then.
        """
        ...

    def begin(self, key: str, metadata: Mapping[str, str]) -> str | None:
        """Start a multipart upload and return its id; None if the service has no such uploads."""
        ...

    def parts(self, key: str, upload: str) -> tuple[Part, ...]:
        """Return the parts that the service has received; raises UploadGoneError."""
        ...

    def reuse_part(self, part: Part, body: FileSlice) -> Part | None:
        """Return a listed part, with its checksum, if it has these bytes; otherwise None."""
        ...

    def send_part(self, key: str, upload: str, number: int, body: FileSlice) -> Part:
        """Send a part, replacing an earlier one with this number; raises UploadGoneError."""
        ...

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Assemble the object from sent and reused parts, in this order.

        Raises UploadGoneError, and RemoteError if the service computes another checksum.
        """
        ...

    def abort(self, key: str, upload: str) -> None:
        """End an upload and free its parts; a missing upload is ignored."""
        ...

    def copy(self, source: Blob, key: str, metadata: Mapping[str, str]) -> None:
        """Copy an object inside the bucket.

        Raises ConflictError if the source no longer has this token.
        """
        ...

    def read_range(self, blob: Blob, offset: int, size: int) -> Iterator[bytes]:
        """Yield the bytes of a range of an object.

        Raises ConflictError if the object is gone or no longer has this token.
        """
        ...
