"""Files into and out of a GCS bucket in parts: the half of `PartStore` that moves the bytes.

Large files go through the XML API's multipart uploads, because their parts go up in parallel and
the service lists them: a later process resumes from that listing. A JSON resumable session is one
stream a file, and only the holder of its secret URI can resume it. Google's own client has
multipart uploads too, without a way to resume; so these few calls are made by `xml_api`. A service
without them (emulators) gets the file whole, by a resumable upload.

Each body carries the CRC32C of the bytes on disk, which GCS compares before it acknowledges; the
whole object's CRC32C is compared with the one that its parts give.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import google_crc32c
from google.api_core.exceptions import NotFound, PreconditionFailed

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.storage.contract import Blob, Part, UploadGoneError
from cloudserve.storage.transfer import PART
from cloudserve.storage.upload.crc import CRC32C_POLYNOMIAL, combined
from cloudserve.storage.upload.file_slice import Blocks, FileSlice, md5_of

from .bucket import RETRY, GcsBucket
from .xml_api import TIMEOUT, Query, completion, listed_parts, listed_uploads, upload_id

CHUNK = 8 << 20
"""Bytes of a request of Google's own client, which holds them in memory."""
TYPE = "application/octet-stream"
NOT_HERE = frozenset({405, 501})
GENERATION = "x-goog-generation"
DENIED = 403
GONE = 404


class GcsParts(GcsBucket):
    """One bucket, as far as files in parts go."""

    def put(self, key: str, body: FileSlice, metadata: Mapping[str, str]) -> None:
        """Write an object through the JSON API, which compares the CRC32C."""
        blob = self._bucket.blob(key, chunk_size=CHUNK)
        blob.metadata = dict(metadata)
        with self._translated(f"upload {body.path.name} to {self.url}/{key}"):
            blob.upload_from_file(
                body,
                size=body.size,
                content_type=TYPE,
                crc32c_checksum_value=_crc32c(body),
                timeout=TIMEOUT,
                # The machinery tries again; within a file of many chunks Google's client must.
                retry=None if body.size <= PART else RETRY,
            )

    def open_uploads(self, key: str) -> tuple[str, ...]:
        """Return the key's multipart uploads under way, the newest first."""
        try:
            with self._translated(f"look for uploads of {self.url}/{key}"):
                answer = self._xml.call("GET", query={"uploads": "", "prefix": key})
                return listed_uploads(answer.content, key)
        except RemoteError as error:
            if error.status == DENIED or error.status in NOT_HERE:
                return ()
            raise

    def begin(self, key: str, metadata: Mapping[str, str]) -> str | None:
        """Begin a multipart upload and return its id; None where the service has none."""
        headers = {f"x-goog-meta-{name}": value for name, value in metadata.items()}
        try:
            with self._translated(f"begin the upload of {self.url}/{key}"):
                begun = self._xml.call(
                    "POST", key, {"uploads": ""}, headers={"content-type": TYPE, **headers}
                )
                return upload_id(begun.content)
        except RemoteError as error:
            if error.status in NOT_HERE:
                return None
            raise

    def parts(self, key: str, upload: str) -> tuple[Part, ...]:
        """Return the parts that GCS has."""
        listed: list[Part] = []
        after: int | None = 0
        with self._of_upload(f"look at the upload of {self.url}/{key}"):
            while after is not None:
                query: Query = {"uploadId": upload, "part-number-marker": after}
                page, after = listed_parts(self._xml.call("GET", key, query).content)
                listed += page
        return tuple(listed)

    def reuse_part(self, part: Part, body: FileSlice) -> Part | None:
        """Compare by the ETag, a part's MD5: the listing has no other checksum."""
        if part.token.strip('"') != md5_of(body):
            return None
        return replace(part, checksum=_crc32c(body))

    def send_part(self, key: str, upload: str, number: int, body: FileSlice) -> Part:
        """Send a part."""
        crc32c = _crc32c(body)
        headers = {"x-goog-hash": f"crc32c={crc32c}", "content-type": TYPE}
        query: Query = {"uploadId": upload, "partNumber": number}
        with self._of_upload(f"upload part {number} of {self.url}/{key}"):
            sent = self._xml.call("PUT", key, query, body=Blocks(body), headers=headers)
        return Part(number, body.size, sent.headers.get("etag", ""), crc32c)

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make the parts the object, and compare its CRC32C with theirs."""
        named = completion({part.number: part.token for part in parts})
        with self._of_upload(f"complete the upload of {self.url}/{key}"):
            done = self._xml.call("POST", key, {"uploadId": upload}, body=named)
        with self._translated(f"look at {self.url}/{key}"):
            blob = self._bucket.get_blob(key, timeout=TIMEOUT, retry=RETRY)
        if blob is None or done.headers.get(GENERATION, str(blob.generation)) != str(
            blob.generation
        ):
            return  # another client has replaced or deleted it
        if blob.crc32c != _joined(parts):
            with self._translated(f"delete {self.url}/{key}"):
                blob.delete(if_generation_match=blob.generation, timeout=TIMEOUT, retry=RETRY)
            raise UploadGoneError(
                f"complete the upload of {self.url}/{key}: what arrived is not what was sent",
                where=self._where,
            )

    def abort(self, key: str, upload: str) -> None:
        """Abort an upload; do nothing if it does not exist."""
        try:
            with self._of_upload(f"abort an upload of {self.url}/{key}"):
                self._xml.call("DELETE", key, {"uploadId": upload})
        except UploadGoneError:
            return

    def copy(self, source: Blob, key: str, metadata: Mapping[str, str]) -> None:
        """Copy inside the bucket; GCS may ask for several calls until a large object is done."""
        made = self._bucket.blob(key)
        made.metadata = dict(metadata)
        made.content_type = TYPE
        token: str | None = None
        with self._translated(f"copy {self.url}/{source.key} to {key}"), self._unchanged(source):
            while True:
                token, _, _ = made.rewrite(
                    self._bucket.blob(source.key),
                    token=token,
                    if_source_generation_match=int(source.token),
                    timeout=TIMEOUT,
                    retry=RETRY,
                )
                if token is None:
                    return

    def read_range(self, blob: Blob, offset: int, size: int) -> Iterator[bytes]:
        """Yield a span of an object that still has this generation."""
        if not size:
            return
        source = self._bucket.blob(blob.key)
        with self._translated(f"read {self.url}/{blob.key}"), self._unchanged(blob):
            for start in range(offset, offset + size, CHUNK):
                yield source.download_as_bytes(
                    start=start,
                    end=min(start + CHUNK, offset + size) - 1,
                    if_generation_match=int(blob.token),
                    timeout=TIMEOUT,
                    checksum=None,
                    retry=RETRY,
                )

    @contextmanager
    def _unchanged(self, blob: Blob) -> Iterator[None]:
        try:
            yield
        except (NotFound, PreconditionFailed) as error:
            raise ConflictError(
                "the object was replaced or deleted while it was read",
                where=f"{self.url}/{blob.key}",
                hint="run the command again: it reads what the bucket has now",
            ) from error

    @contextmanager
    def _of_upload(self, what: str) -> Iterator[None]:
        """Tell a 404 as what it is for a call that names an upload."""
        try:
            with self._translated(what):
                yield
        except RemoteError as error:
            if error.status == GONE:
                raise UploadGoneError(error.message, where=error.where, status=GONE) from error
            raise


def _crc32c(body: FileSlice) -> str:
    checksum = 0
    for block in body.blocks():
        checksum = google_crc32c.extend(checksum, block)
    return _text(checksum.to_bytes(4, "big"))


def _joined(parts: Sequence[Part]) -> str:
    """Return the CRC32C of parts one after another."""
    pieces = [(base64.b64decode(part.checksum), part.size) for part in parts]
    return _text(combined(pieces, CRC32C_POLYNOMIAL))


def _text(checksum: bytes) -> str:
    return base64.b64encode(checksum).decode("ascii")
