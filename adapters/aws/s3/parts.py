"""Files into and out of an S3 bucket in parts: the half of `PartStore` that moves the bytes.

Each body carries the CRC32 of the bytes on disk, and S3 compares before it acknowledges; the
completion repeats the parts' checksums. Payloads are not hashed for the signature a second time.
"""

from __future__ import annotations

import base64
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from http import HTTPStatus
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.storage.contract import Blob, Part, UploadGoneError
from cloudserve.storage.pool import WORKERS
from cloudserve.storage.upload.file_slice import BLOCK, Blocks, FileSlice, md5_of

from ..errors import code_of, status_of
from ..session import Access
from .errors import DENIED, s3_translated

ALGORITHM = "CRC32"
CHANGED = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED})
# One attempt: the machinery tries again itself, so that it can tell, and heed Retry-After.
SETTINGS = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=WORKERS + 2,
    tcp_keepalive=True,
)
COPIES = TransferConfig(multipart_threshold=5 << 30, multipart_chunksize=512 << 20)
"""One CopyObject takes 5 GiB (S3 API reference); without bytes to send, parts only cost calls."""


class S3Parts:
    """One bucket, as far as files in parts go."""

    def __init__(self, name: str, *, region: str, access: Access) -> None:
        self._name = name
        self._region = region
        self._access = access
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def url(self) -> str:
        """Return `s3://NAME`."""
        return f"s3://{self._name}"

    def put(self, key: str, body: FileSlice, metadata: Mapping[str, str]) -> None:
        """Write an object in one request."""
        with self._translated(f"upload {body.path.name} to {self.url}/{key}"):
            self._transfer.put_object(
                **self._object(key),
                Body=body,
                Metadata=dict(metadata),
                ChecksumCRC32=_crc32(body),
            )

    def open_uploads(self, key: str) -> tuple[str, ...]:
        """Return the key's multipart uploads under way, the newest first."""
        pages = self._transfer.get_paginator("list_multipart_uploads")
        try:
            with self._translated(f"look for uploads of {self.url}/{key}"):
                uploads = [
                    upload
                    for page in pages.paginate(Bucket=self._name, Prefix=key)
                    for upload in page.get("Uploads", ())
                    if upload["Key"] == key
                ]
        except RemoteError as error:
            if isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in DENIED:
                return ()
            raise
        uploads.sort(key=lambda upload: upload["Initiated"], reverse=True)
        return tuple(upload["UploadId"] for upload in uploads)

    def begin(self, key: str, metadata: Mapping[str, str]) -> str:
        """Begin a multipart upload and return its id."""
        with self._translated(f"begin the upload of {self.url}/{key}"):
            begun = self._transfer.create_multipart_upload(
                **self._object(key), Metadata=dict(metadata), ChecksumAlgorithm=ALGORITHM
            )
        return str(begun["UploadId"])

    def parts(self, key: str, upload: str) -> tuple[Part, ...]:
        """Return the parts that S3 has."""
        pages = self._transfer.get_paginator("list_parts")
        with self._translated(f"look at the upload of {self.url}/{key}"):
            return tuple(
                Part(part["PartNumber"], part["Size"], part["ETag"], part.get("ChecksumCRC32", ""))
                for page in pages.paginate(**self._object(key), UploadId=upload)
                for part in page.get("Parts", ())
            )

    def reuse_part(self, part: Part, body: FileSlice) -> Part | None:
        """Compare by CRC32, or by the ETag's MD5 where S3 lists no checksum."""
        if part.checksum:
            return part if part.checksum == _crc32(body) else None
        return part if part.token.strip('"') == md5_of(body) else None

    def send_part(self, key: str, upload: str, number: int, body: FileSlice) -> Part:
        """Send a part."""
        crc32 = _crc32(body)
        with self._translated(f"upload part {number} of {self.url}/{key}"):
            sent = self._transfer.upload_part(
                **self._object(key),
                UploadId=upload,
                PartNumber=number,
                Body=body,
                ChecksumCRC32=crc32,
            )
        return Part(number, body.size, str(sent["ETag"]), crc32)

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make the parts the object; S3 compares each checksum with what it has."""
        named = [
            {"PartNumber": part.number, "ETag": part.token}
            | ({"ChecksumCRC32": part.checksum} if part.checksum else {})
            for part in parts
        ]
        with self._translated(f"complete the upload of {self.url}/{key}"):
            self._transfer.complete_multipart_upload(
                **self._object(key), UploadId=upload, MultipartUpload={"Parts": named}
            )

    def abort(self, key: str, upload: str) -> None:
        """Abort an upload; do nothing if it does not exist."""
        try:
            with self._translated(f"abort an upload of {self.url}/{key}"):
                self._transfer.abort_multipart_upload(**self._object(key), UploadId=upload)
        except UploadGoneError:
            return

    def copy(self, source: Blob, key: str, metadata: Mapping[str, str]) -> None:
        """Copy inside the bucket; boto3 does it in parts beyond the 5 GB of one CopyObject."""
        with self._translated(f"copy {self.url}/{source.key} to {key}"), self._unchanged(source):
            self._transfer.copy(
                self._object(source.key),
                **self._object(key),
                ExtraArgs={
                    "CopySourceIfMatch": source.token,
                    "MetadataDirective": "REPLACE",
                    "Metadata": dict(metadata),
                },
                Config=COPIES,
            )

    def read_range(self, blob: Blob, offset: int, size: int) -> Iterator[bytes]:
        """Yield a span of an object that still has this ETag."""
        span = {"Range": f"bytes={offset}-{offset + size - 1}"} if size else {}
        with self._translated(f"read {self.url}/{blob.key}"), self._unchanged(blob):
            answer = self._transfer.get_object(**self._object(blob.key), IfMatch=blob.token, **span)
            with closing(answer["Body"]) as body:
                yield from body.iter_chunks(BLOCK)

    @property
    def _transfer(self) -> Any:
        with self._lock:  # a boto3 session makes one client at a time, and several threads may ask
            if self._made is None:
                self._made = self._access.client("s3", SETTINGS, sign_payloads=False)
                self._made.meta.events.register("before-send.s3", _in_blocks)
            return self._made

    @property
    def _where(self) -> str:
        return self._access.where("s3")

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._name, "Key": key}

    def _translated(self, what: str) -> AbstractContextManager[None]:
        return s3_translated(what, self._where, self.url)

    @contextmanager
    def _unchanged(self, blob: Blob) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if status_of(error) not in CHANGED:
                raise
            raise ConflictError(
                "the object was replaced or deleted while it was read",
                where=f"{self.url}/{blob.key}",
                hint="run the command again: it reads what the bucket has now",
            ) from error


def _in_blocks(request: Any, **_: Any) -> None:
    """Let a file go out in large blocks; boto3 takes only what can be read."""
    if isinstance(request.body, FileSlice):
        request.body = Blocks(request.body)


def _crc32(body: FileSlice) -> str:
    checksum = 0
    for block in body.blocks():
        checksum = zlib.crc32(block, checksum)
    return base64.b64encode(checksum.to_bytes(4, "big")).decode("ascii")
