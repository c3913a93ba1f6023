"""The table of objects, as the store, uploads and sessions use it inside their transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from .blobs import BlobDirectory
from .errors import HeldError, NoSuchBucketError, NoSuchKeyError, PreconditionFailedError
from .types import (
    ENABLED,
    SUSPENDED,
    Blob,
    BucketInfo,
    ObjectInfo,
    ObjectProperties,
    Precondition,
    State,
)

Clock = Callable[[], float]

MICROSECONDS = 1_000_000
GRACE_SECONDS = 60.0
"""How long content outlives its last object, for readers that already have its path."""

COLUMNS = (
    "bucket, key, size, address, md5, crc32c, crc32, generation, metageneration, about, "
    "created, updated"
)
VERSION_COLUMNS = f"{COLUMNS}, state, ended, until"
PROPERTIES_COLUMN = 9
STATE_COLUMN = 12
SETTINGS_COLUMN = 6


def to_object(row: tuple[Any, ...]) -> ObjectInfo:
    """Build an object from a row of COLUMNS, or a version from one of VERSION_COLUMNS."""
    properties = msgspec.json.decode(row[PROPERTIES_COLUMN], type=ObjectProperties)
    values: tuple[Any, ...] = (
        *row[:PROPERTIES_COLUMN],
        properties,
        *row[PROPERTIES_COLUMN + 1 : STATE_COLUMN],
        *(State(state) for state in row[STATE_COLUMN : STATE_COLUMN + 1]),
        *row[STATE_COLUMN + 1 :],
    )
    return ObjectInfo(*values)


def require_bucket(connection: sqlite3.Connection, bucket: str) -> None:
    """Raise NoSuchBucketError unless the bucket exists."""
    if not connection.execute("SELECT 1 FROM buckets WHERE name = ?", (bucket,)).fetchone():
        raise NoSuchBucketError(bucket)


def find_bucket(connection: sqlite3.Connection, bucket: str) -> BucketInfo:
    """Return a bucket; raises NoSuchBucketError."""
    row = connection.execute("SELECT * FROM buckets WHERE name = ?", (bucket,)).fetchone()
    if row is None:
        raise NoSuchBucketError(bucket)
    return to_bucket(row)


def to_bucket(row: tuple[Any, ...]) -> BucketInfo:
    """Build a bucket from its row."""
    settings = msgspec.json.decode(row[SETTINGS_COLUMN], type=dict[str, Any])
    values: tuple[Any, ...] = (*row[:SETTINGS_COLUMN], settings, *row[SETTINGS_COLUMN + 1 :])
    return BucketInfo(*values)


def write_bucket(connection: sqlite3.Connection, bucket: BucketInfo) -> None:
    """Insert or replace a bucket's row."""
    connection.execute(
        "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            bucket.name,
            bucket.project,
            bucket.region,
            bucket.created,
            bucket.updated,
            bucket.metageneration,
            msgspec.json.encode(dict(bucket.settings)),
            bucket.versioning,
            bucket.soft_delete,
            bucket.retention,
        ),
    )


def find(connection: sqlite3.Connection, bucket: str, key: str) -> ObjectInfo | None:
    """Return the object, or None; raises NoSuchBucketError."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM objects WHERE bucket = ? AND key = ?",  # noqa: S608 a constant
        (bucket, key),
    ).fetchone()
    if row is None:
        require_bucket(connection, bucket)
        return None
    return to_object(row)


def check(info: ObjectInfo | None, bucket: str, key: str, condition: Precondition) -> None:
    """Raise PreconditionFailedError, or NoSuchKeyError for an If-Match on a missing object."""
    if info is None and condition.match is not None:
        raise NoSuchKeyError(bucket, key)
    failing = condition.failing(info)
    if failing:
        raise PreconditionFailedError(bucket, key, failing)


def check_free(info: ObjectInfo, bucket: BucketInfo, now: float) -> None:
    """Raise HeldError if an object may not be deleted or replaced yet."""
    for hold in info.properties.holds:
        raise HeldError(info.bucket, info.key, hold)
    until = max(info.properties.retain_until, info.created + bucket.retention)
    if until > now and until > info.created:
        raise HeldError(info.bucket, info.key, "", until)


def next_generation(connection: sqlite3.Connection, now: float) -> int:
    """Return a number greater than every earlier one: microseconds, like GCS's generations."""
    (last,) = connection.execute("SELECT generation FROM counter").fetchone()
    generation = max(int(last) + 1, int(now * MICROSECONDS))
    connection.execute("UPDATE counter SET generation = ?", (generation,))
    return generation


class Objects:
    """Writes object rows and keeps their blobs; each call runs inside a transaction."""

    def __init__(self, blobs: BlobDirectory, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock

    def put(
        self,
        connection: sqlite3.Connection,
        name: tuple[str, str],
        blob: Blob,
        properties: ObjectProperties,
        precondition: Precondition,
    ) -> ObjectInfo:
        """Store a blob as the object of this bucket and key."""
        bucket = find_bucket(connection, name[0])
        previous = find(connection, *name)
        check(previous, *name, precondition)
        now = self._clock()
        if previous:
            self.check_replaced(previous, bucket, now)
        info = ObjectInfo(
            bucket=name[0],
            key=name[1],
            size=blob.size,
            address=blob.address,
            md5=blob.digests.get("md5", b""),
            crc32c=blob.digests["crc32c"],
            crc32=blob.digests["crc32"],
            generation=next_generation(connection, now),
            metageneration=1,
            properties=replace(properties, versioned=bucket.versioning == ENABLED),
            created=now,
            updated=now,
        )
        self.keep(connection, blob)
        freed = self.retire(connection, previous, bucket, now) if previous else []
        if bucket.versioning == SUSPENDED:
            freed += take_null(connection, *name)
        write_row(connection, info)
        self.release(connection, freed)
        return info

    @staticmethod
    def check_replaced(previous: ObjectInfo, bucket: BucketInfo, now: float) -> None:
        """Raise HeldError if a new version may not take the place of the live one.

        With versioning, a retained object may be replaced: it becomes noncurrent. Source: Cloud
        Storage, "Object holds" and "Retention policies and retention policy locks".
        """
        if bucket.versioning != ENABLED or previous.properties.holds:
            check_free(previous, bucket, now)

    def retire(
        self, connection: sqlite3.Connection, info: ObjectInfo, bucket: BucketInfo, now: float
    ) -> list[bytes]:
        """Remove the live row; keep it as a version if the bucket does. Return freed content."""
        connection.execute(
            "DELETE FROM objects WHERE bucket = ? AND key = ?", (info.bucket, info.key)
        )
        kept = bucket.versioning == ENABLED or (
            bucket.versioning == SUSPENDED and info.properties.versioned
        )
        if kept:
            write_version(connection, replace(info, state=State.NONCURRENT, ended=now))
            return []
        return self.soften(connection, info, bucket, now)

    @staticmethod
    def soften(
        connection: sqlite3.Connection, info: ObjectInfo, bucket: BucketInfo, now: float
    ) -> list[bytes]:
        """Keep a deleted version if its bucket has soft delete; else return its content."""
        if not bucket.soft_delete or info.state is State.MARKER:
            return [info.address]
        until = now + bucket.soft_delete
        write_version(connection, replace(info, state=State.SOFT_DELETED, ended=now, until=until))
        return []

    def keep(self, connection: sqlite3.Connection, blob: Blob) -> None:
        """Move a blob to its address, and exempt it and its pieces from collection.

        Raises FileNotFoundError if a piece was collected concurrently.
        """
        if blob.temp_path is not None:
            self._blobs.place(blob.temp_path, blob.address)
        if blob.pieces and not self._is_stored(connection, blob.address):
            self._keep_pieces(connection, blob)
        connection.execute("DELETE FROM garbage WHERE address = ?", (blob.address,))

    def _keep_pieces(self, connection: sqlite3.Connection, blob: Blob) -> None:
        for position, piece in enumerate(blob.pieces):
            self._blobs.path(piece).stat()
            row = (blob.address, position, piece)
            connection.execute("INSERT INTO pieces VALUES (?, ?, ?)", row)
            connection.execute("DELETE FROM garbage WHERE address = ?", (piece,))

    def _is_stored(self, connection: sqlite3.Connection, address: bytes) -> bool:
        return self._blobs.path(address).exists() or bool(pieces_of(connection, address))

    def remove(self, connection: sqlite3.Connection, info: ObjectInfo, bucket: BucketInfo) -> None:
        """Delete the live object; it becomes noncurrent or soft-deleted if its bucket says so."""
        now = self._clock()
        self.check_replaced(info, bucket, now)
        count_deletion(connection, info.bucket, info.key)
        self.release(connection, self.retire(connection, info, bucket, now))

    def release(self, connection: sqlite3.Connection, contents: Sequence[bytes]) -> None:
        """Mark unowned content as garbage, and unlink content that has been garbage for a while.

        Unlinking happens inside the transaction: a put of the same content waits for it.
        """
        now = self._clock()
        due = connection.execute(
            "DELETE FROM garbage WHERE since <= ? RETURNING address", (now - GRACE_SECONDS,)
        ).fetchall()
        freed: list[bytes] = []
        lost = connection.execute(
            "DELETE FROM versions WHERE until > 0 AND until <= ? RETURNING address", (now,)
        ).fetchall()
        contents = (*contents, *(row[0] for row in lost))
        for (address,) in due:
            self._blobs.path(address).unlink(missing_ok=True)
            freed += take_pieces(connection, address)
        for address in (*contents, *freed):
            if address and not _owned(connection, address):
                connection.execute("INSERT OR IGNORE INTO garbage VALUES (?, ?)", (address, now))


def count_deletion(connection: sqlite3.Connection, bucket: str, key: str) -> None:
    """Note at the open multipart uploads of a key that its object was deleted."""
    connection.execute(
        "UPDATE uploads SET conflicts = conflicts + 1 WHERE bucket = ? AND key = ?", (bucket, key)
    )


def _owned(connection: sqlite3.Connection, address: bytes) -> bool:
    return bool(
        connection.execute(
            "SELECT 1 FROM objects WHERE address = :it UNION ALL "
            "SELECT 1 FROM versions WHERE address = :it UNION ALL "
            "SELECT 1 FROM parts WHERE sha256 = :it UNION ALL "
            "SELECT 1 FROM pieces WHERE piece = :it LIMIT 1",
            {"it": address},
        ).fetchone()
    )


def pieces_of(connection: sqlite3.Connection, address: bytes) -> tuple[bytes, ...]:
    """Return the pieces of composite content in order; () if it is one file."""
    rows = connection.execute(
        "SELECT piece FROM pieces WHERE address = ? ORDER BY position", (address,)
    )
    return tuple(row[0] for row in rows.fetchall())


def take_pieces(connection: sqlite3.Connection, address: bytes) -> list[bytes]:
    """Delete and return the pieces of composite content."""
    rows = connection.execute("DELETE FROM pieces WHERE address = ? RETURNING piece", (address,))
    return [row[0] for row in rows.fetchall()]


def write_row(connection: sqlite3.Connection, info: ObjectInfo) -> None:
    """Insert or replace an object's row."""
    connection.execute(
        f"INSERT OR REPLACE INTO objects ({COLUMNS}) "  # noqa: S608 a constant
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _row_of(info),
    )


def write_version(connection: sqlite3.Connection, info: ObjectInfo) -> None:
    """Insert or replace the row of a version that is not live."""
    connection.execute(
        f"INSERT OR REPLACE INTO versions ({VERSION_COLUMNS}) "  # noqa: S608 a constant
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*_row_of(info), info.state, info.ended, info.until),
    )


def versions_of(connection: sqlite3.Connection, bucket: str, key: str) -> list[ObjectInfo]:
    """Return the versions of a key that are not live, the newest first."""
    rows = connection.execute(
        f"SELECT {VERSION_COLUMNS} FROM versions "  # noqa: S608 a constant
        "WHERE bucket = ? AND key = ? ORDER BY generation DESC",
        (bucket, key),
    )
    return [to_object(row) for row in rows.fetchall()]


def take_version(connection: sqlite3.Connection, info: ObjectInfo) -> None:
    """Delete the row of a version that is not live."""
    connection.execute(
        "DELETE FROM versions WHERE bucket = ? AND key = ? AND generation = ?",
        (info.bucket, info.key, info.generation),
    )


def take_null(connection: sqlite3.Connection, bucket: str, key: str) -> list[bytes]:
    """Delete the "null" version that a new one replaces, and return its content."""
    nulls = [
        each
        for each in versions_of(connection, bucket, key)
        if each.state is not State.SOFT_DELETED and not each.properties.versioned
    ]
    for each in nulls:
        take_version(connection, each)
    return [each.address for each in nulls]


def _row_of(info: ObjectInfo) -> tuple[Any, ...]:
    return (
        info.bucket,
        info.key,
        info.size,
        info.address,
        info.md5,
        info.crc32c,
        info.crc32,
        info.generation,
        info.metageneration,
        msgspec.json.encode(info.properties),
        info.created,
        info.updated,
    )


def orphans(connection: sqlite3.Connection, blobs: BlobDirectory) -> list[Path]:
    """Return the blob files that no row names.

    First deletes the pieces that a crash left: those of unowned content and of content that is
    one file by now.
    """
    for (address,) in connection.execute("SELECT DISTINCT address FROM pieces").fetchall():
        if blobs.path(address).exists() or not _owned(connection, address):
            take_pieces(connection, address)
    owned = {
        row[0].hex()
        for row in connection.execute(
            "SELECT address FROM objects UNION SELECT address FROM versions "
            "UNION SELECT sha256 FROM parts "
            "UNION SELECT piece FROM pieces"
        )
    }
    return [path for path in blobs.stored() if path.name not in owned]
