"""Multipart uploads: parts are separate blobs until they are completed into one object.

S3's rules (Amazon S3 User Guide, "Multipart upload overview"): part numbers 1 to 10,000, ascending
in the completion, all but the last at least 5 MiB. GCS's XML API has the same rules.
"""

from __future__ import annotations

import hashlib
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from .blobs import BlobDirectory
from .composite import Composites
from .database import Database
from .errors import ConflictingDeletionError, InvalidPartError, NoSuchUploadError
from .object_table import Clock, Objects, check, find, require_bucket
from .types import (
    ANYTHING,
    Blob,
    ObjectInfo,
    ObjectProperties,
    Part,
    PartSize,
    Precondition,
    Upload,
    as_blob,
)

MIN_PART = 5 << 20
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Uploads:
    """The multipart uploads of a store, which survive a restart."""

    database: Database
    blobs: BlobDirectory
    composites: Composites
    objects: Objects
    clock: Clock

    def create(self, bucket: str, key: str, properties: ObjectProperties) -> Upload:
        """Start an upload; raises NoSuchBucketError."""
        upload = Upload(uuid.uuid4().hex, bucket, key, properties, self.clock())
        with self.database.write() as connection:
            require_bucket(connection, bucket)
            connection.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, 0)",
                (upload.id, bucket, key, msgspec.json.encode(properties), upload.created),
            )
        return upload

    def get(self, upload: str, bucket: str, key: str) -> Upload:
        """Return an upload of this bucket and key; raises NoSuchUploadError."""
        with self.database.read() as connection:
            return _require(connection, upload, bucket, key)

    def list(self, bucket: str, prefix: str = "") -> tuple[Upload, ...]:
        """Return a bucket's open uploads, sorted by key and age; raises NoSuchBucketError."""
        with self.database.read() as connection:
            require_bucket(connection, bucket)
            rows = connection.execute(
                "SELECT * FROM uploads WHERE bucket = ? ORDER BY key, created", (bucket,)
            ).fetchall()
        return tuple(_to_upload(row) for row in rows if row[2].startswith(prefix))

    def parts(self, upload: Upload) -> tuple[Part, ...]:
        """Return the uploaded parts by number; raises NoSuchUploadError if the upload has ended."""
        with self.database.read() as connection:
            parts = tuple(_parts(connection, upload.id).values())
            _require(connection, upload.id, upload.bucket, upload.key)
        return parts

    def put_part(self, upload: Upload, number: int, blob: Blob, checksum: str = "") -> Part:
        """Store a blob as this part, replacing an earlier one; the blob is consumed.

        Raises NoSuchUploadError if the upload ended concurrently.
        """
        digests = [blob.digests[name] for name in ("sha256", "md5", "crc32c", "crc32")]
        row = (number, blob.size, *digests, checksum, self.clock())
        try:
            with self.database.write() as connection:
                _require(connection, upload.id, upload.bucket, upload.key)
                previous = _parts(connection, upload.id).get(number)
                self.objects.keep(connection, blob)
                connection.execute(
                    "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (upload.id, *row),
                )
                self.objects.release(connection, [previous.sha256] if previous else [])
        finally:
            self.blobs.discard(blob)
        return _to_part(row)

    def join(self, upload: Upload, chosen: Sequence[Part], checksums: tuple[str, ...] = ()) -> Blob:
        """Return the parts as one blob with the requested checksums (see `Composites.join`).

        Raises NoSuchUploadError if they no longer exist.
        """
        try:
            return self.composites.join([as_blob(part) for part in chosen], checksums)
        except FileNotFoundError as error:
            raise NoSuchUploadError(upload.id) from error

    def complete(
        self,
        upload: Upload,
        blob: Blob,
        properties: ObjectProperties,
        precondition: Precondition = ANYTHING,
    ) -> ObjectInfo:
        """Make the joined blob the object and end the upload, in one transaction.

        Raises NoSuchUploadError, PreconditionFailedError, or for a condition on an object that was
        deleted since the upload began ConflictingDeletionError; the upload is unchanged then.
        """
        with self.database.write() as connection:
            name = (upload.bucket, upload.key)
            current = _require(connection, upload.id, *name)
            if current.conflicts and precondition.names_etags:
                check(find(connection, *name), *name, precondition)
                raise ConflictingDeletionError(*name)
            info = self.objects.put(connection, name, blob, properties, precondition)
            self._forget(connection, [upload.id])
        return info

    def abort(self, upload: str, bucket: str, key: str) -> None:
        """End an upload and delete its parts; raises NoSuchUploadError."""
        with self.database.write() as connection:
            _require(connection, upload, bucket, key)
            self._forget(connection, [upload])

    def forget_bucket(self, connection: sqlite3.Connection, bucket: str) -> None:
        """End all uploads of a bucket, inside the transaction that deletes the bucket."""
        rows = connection.execute("SELECT id FROM uploads WHERE bucket = ?", (bucket,)).fetchall()
        self._forget(connection, [row[0] for row in rows])

    def _forget(self, connection: sqlite3.Connection, uploads: Sequence[str]) -> None:
        for upload in uploads:
            contents = [part.sha256 for part in _parts(connection, upload).values()]
            connection.execute("DELETE FROM parts WHERE upload = ?", (upload,))
            connection.execute("DELETE FROM uploads WHERE id = ?", (upload,))
            self.objects.release(connection, contents)


def choose(
    parts: Mapping[int, Part], named: Sequence[tuple[int, str]], least: int = MIN_PART
) -> list[Part]:
    """Check and return the parts that a completion names by number and ETag (MD5 hex, unquoted).

    Raises InvalidPartError with S3's code: InvalidPart, InvalidPartOrder or EntityTooSmall.
    """
    chosen: list[Part] = []
    for number, etag in named:
        part = parts.get(number)
        if chosen and number <= chosen[-1].number:
            message = "The list of parts was not in ascending order."
            raise InvalidPartError("InvalidPartOrder", message, number)
        if part is None or part.md5.hex() != etag:
            message = (
                "One or more of the specified parts could not be found.  The part may not have "
                "been uploaded, or the specified entity tag may not match the part's entity tag."
            )
            raise InvalidPartError("InvalidPart", message, number)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < least:
            message = "Your proposed upload is smaller than the minimum allowed size"
            raise InvalidPartError("EntityTooSmall", message, part.number)
    return chosen


def after_marker(uploads: Sequence[Upload], key: str, upload: str) -> list[Upload]:
    """Return the uploads after a marker: a key, or one upload of that key.

    As in S3's ListMultipartUploads, a marker without an upload skips every upload of its key.
    """
    if not upload:
        return [each for each in uploads if each.key > key]
    same = [each for each in uploads if each.key == key]
    marks = [position for position, each in enumerate(same, 1) if each.id == upload]
    return same[marks[0] if marks else len(same) :] + [e for e in uploads if e.key > key]


def multipart_properties(properties: ObjectProperties, chosen: Sequence[Part]) -> ObjectProperties:
    """Add a multipart object's parts and ETag: the MD5 of the parts' MD5s, and their number."""
    joined = hashlib.md5(b"".join(part.md5 for part in chosen), usedforsecurity=False)
    etag = f"{joined.hexdigest()}-{len(chosen)}"
    parts = tuple(PartSize(part.number, part.size, part.checksum) for part in chosen)
    return replace(properties, etag=etag, components=len(chosen), parts=parts)


def _require(connection: sqlite3.Connection, upload: str, bucket: str, key: str) -> Upload:
    row = connection.execute(
        "SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?", (upload, bucket, key)
    ).fetchone()
    if row is None:
        raise NoSuchUploadError(upload)
    return _to_upload(row)


def _to_upload(row: tuple[Any, ...]) -> Upload:
    name, bucket, key, properties, *rest = row
    return Upload(name, bucket, key, msgspec.json.decode(properties, type=ObjectProperties), *rest)


def _parts(connection: sqlite3.Connection, upload: str) -> dict[int, Part]:
    rows = connection.execute(
        "SELECT number, size, sha256, md5, crc32c, crc32, checksum, created FROM parts "
        "WHERE upload = ? ORDER BY number",
        (upload,),
    )
    return {row[0]: _to_part(row) for row in rows}


def _to_part(row: tuple[Any, ...]) -> Part:
    return Part(*row)
