"""What the transfer machinery needs of a bucket: a `BlobStore` that takes and gives files in parts.

Parts are numbered from 1, as S3 and the XML API of Google Cloud Storage number them. Every body is
sent with a checksum that the service verifies before it acknowledges; a service that finds another
one refuses, and the refusal is retryable, because the file still has the right bytes.

None of these methods retries: the machinery does (`retry`), so that it can tell and be stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol, runtime_checkable

from cloudserve.errors import RemoteError
from cloudserve.storage.upload.file_slice import Window

Notify = Callable[[str], None]
"""Takes one line of progress for people: a state change, a retry, a wait."""


class Expect(Enum):
    """A precondition on what a key holds before a write."""

    ANYTHING = "anything"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Blob:
    """An object's listing entry. `token` changes with each write (S3 ETag, GCS generation)."""

    key: str
    size: int
    token: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The user metadata; empty in listings, which do not carry it."""

    @property
    def is_folder(self) -> bool:
        """Say whether this is no file but a "folder" of a console or of TensorFlow's GCS writer.

        Buckets have no folders: such tools write an empty object whose key ends with a slash.
        """
        return self.key.endswith("/") and self.size == 0


class BlobStore(Protocol):
    """One bucket. All methods raise RemoteError (status, what, where) when the service refuses."""

    @property
    def url(self) -> str:
        """Return the bucket as a URL without a trailing slash: `gs://bucket`."""
        ...

    def exists(self) -> bool:
        """Return whether the bucket is there."""
        ...

    def ensure(self, notify: Notify) -> None:
        """Make the bucket if it is not there."""
        ...

    def head(self, key: str) -> Blob | None:
        """Return the object's entry with its metadata, or None when it is not there."""
        ...

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and token, or None when it is not there."""
        ...

    def write(self, key: str, data: bytes, expect: Expect | str = Expect.ANYTHING) -> str:
        """Write an object atomically and return its token.

        A string `expect` is the token the present object must have. Raises ConflictError when
        the precondition does not hold; then nothing was written.
        """
        ...

    def upload(self, key: str, path: Path, metadata: Mapping[str, str]) -> None:
        """Write a file of any size, streamed and checksummed end to end."""
        ...

    def list(self, prefix: str) -> Iterator[Blob]:
        """Yield the entries under a prefix in key order; nothing when the bucket is missing.

        Folders (`Blob.is_folder`) are left out.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete an object; a missing one is no error."""
        ...


class UploadGoneError(RemoteError):
    """The multipart upload is not there any more: completed or aborted by somebody else."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a service has: its number, bytes, and what the service calls it."""

    number: int
    size: int
    token: str
    """The ETag, which the completion must repeat."""
    checksum: str = ""
    """The checksum of the part in base64; empty where the service's listing does not tell."""


@runtime_checkable
class PartStore(BlobStore, Protocol):
    """A bucket for the transfer machinery. All methods raise RemoteError when refused."""

    def put(self, key: str, body: Window, metadata: Mapping[str, str]) -> None:
        """Write an object in one go; the bytes are verified before there is an object."""
        ...

    def open_uploads(self, key: str) -> tuple[str, ...]:
        """Return the ids of the key's multipart uploads under way, the newest first.

        () also where one may not look: then nothing is resumed.
        """
        ...

    def begin(self, key: str, metadata: Mapping[str, str]) -> str | None:
        """Begin a multipart upload and return its id; None where the service takes no parts."""
        ...

    def parts(self, key: str, upload: str) -> tuple[Part, ...]:
        """Return the parts that the service has; raises UploadGoneError."""
        ...

    def take_over(self, part: Part, body: Window) -> Part | None:
        """Return a listed part, with its checksum, if it is these bytes; None if it is others."""
        ...

    def send_part(self, key: str, upload: str, number: int, body: Window) -> Part:
        """Send a part, in place of the one of this number; raises UploadGoneError."""
        ...

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make the parts that were sent or taken over, in their order, the object.

        Raises UploadGoneError; a RemoteError when the service's checksum is another than theirs.
        """
        ...

    def abort(self, key: str, upload: str) -> None:
        """End an upload and free its parts; one that is gone is no error."""
        ...

    def copy(self, source: Blob, key: str, metadata: Mapping[str, str]) -> None:
        """Write an object of the bytes of another of this bucket, without their leaving it.

        The source must still be the one with this token. Raises ConflictError when it is not.
        """
        ...

    def read_range(self, blob: Blob, offset: int, size: int) -> Iterator[bytes]:
        """Yield the bytes of a span of an object, which must still be the one with this token.

        Raises ConflictError when the object is gone or another by now.
        """
        ...
