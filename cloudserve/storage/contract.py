"""What the transfer machinery needs of a bucket: a `BlobStore` that takes and gives files in parts.

Parts are numbered from 1, as S3 and the XML API of Google Cloud Storage number them. Every body is
sent with a checksum that the service verifies before it acknowledges; a service that finds another
one refuses, and the refusal is retryable, because the file still has the right bytes.

None of these methods retries: the machinery does (`retry`), so that it can tell and be stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cloudserve.errors import RemoteError
from cloudserve.release.provider import Blob, BlobStore
from cloudserve.storage.upload.file_slice import Window


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
