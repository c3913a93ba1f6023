"""The table of objects, as the store, uploads and sessions use it inside their transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .blobs import BlobDirectory
from .errors import NoSuchBucketError, NoSuchKeyError, PreconditionFailedError
from .types import Blob, BucketInfo, ObjectInfo, ObjectProperties, Precondition

Clock = Callable[[], float]

MICROSECONDS = 1_000_000
GRACE_SECONDS = 60.0
"""How long content outlives its last object, for readers that already have its path."""

COLUMNS = (
    "bucket, key, size, address, md5, crc32c, crc32, generation, metageneration, about, "
    "created, updated"
)
PROPERTIES_COLUMN = 9


def to_object(row: tuple[Any, ...]) -> ObjectInfo:
    """Build an object from a row of COLUMNS."""
    properties = msgspec.json.decode(row[PROPERTIES_COLUMN], type=ObjectProperties)
    values: tuple[Any, ...] = (*row[:PROPERTIES_COLUMN], properties, *row[PROPERTIES_COLUMN + 1 :])
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
    values: tuple[Any, ...] = (*row[:-1], msgspec.json.decode(row[-1], type=dict[str, Any]))
    return BucketInfo(*values)


def write_bucket(connection: sqlite3.Connection, bucket: BucketInfo) -> None:
    """Insert or replace a bucket's row."""
    connection.execute(
        "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            bucket.name,
            bucket.project,
            bucket.region,
            bucket.created,
            bucket.updated,
            bucket.metageneration,
            msgspec.json.encode(dict(bucket.settings)),
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
        previous = find(connection, *name)
        check(previous, *name, precondition)
        now = self._clock()
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
            properties=properties,
            created=now,
            updated=now,
        )
        self.keep(connection, blob)
        write_row(connection, info)
        if previous and previous.address != info.address:
            self.release(connection, [previous.address])
        return info

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

    def remove(self, connection: sqlite3.Connection, info: ObjectInfo) -> None:
        """Delete an object."""
        connection.execute(
            "DELETE FROM objects WHERE bucket = ? AND key = ?", (info.bucket, info.key)
        )
        self.release(connection, [info.address])

    def release(self, connection: sqlite3.Connection, contents: Sequence[bytes]) -> None:
        """Mark unowned content as garbage, and unlink content that has been garbage for a while.

        Unlinking happens inside the transaction: a put of the same content waits for it.
        """
        now = self._clock()
        due = connection.execute(
            "DELETE FROM garbage WHERE since <= ? RETURNING address", (now - GRACE_SECONDS,)
        ).fetchall()
        freed: list[bytes] = []
        for (address,) in due:
            self._blobs.path(address).unlink(missing_ok=True)
            freed += take_pieces(connection, address)
        for address in (*contents, *freed):
            if not _owned(connection, address):
                connection.execute("INSERT OR IGNORE INTO garbage VALUES (?, ?)", (address, now))


def _owned(connection: sqlite3.Connection, address: bytes) -> bool:
    return bool(
        connection.execute(
            "SELECT 1 FROM objects WHERE address = ?1 UNION ALL "
            "SELECT 1 FROM parts WHERE sha256 = ?1 UNION ALL "
            "SELECT 1 FROM pieces WHERE piece = ?1 LIMIT 1",
            (address,),
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
        (
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
        ),
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
            "SELECT address FROM objects UNION SELECT sha256 FROM parts "
            "UNION SELECT piece FROM pieces"
        )
    }
    return [path for path in blobs.stored() if path.name not in owned]
