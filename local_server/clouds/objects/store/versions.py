"""The versions of objects: noncurrent ones, S3's delete markers, Cloud Storage's deleted objects.

The live versions are in the table of objects, which every other part of the store reads. Sources:
Amazon S3 User Guide, "Deleting object versions from a versioning-enabled bucket", "Adding objects
to versioning-suspended buckets"; Cloud Storage, "Object Versioning", "Soft delete".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .database import Database
from .errors import NoSuchKeyError
from .listing import beyond, common_prefix
from .object_table import (
    COLUMNS,
    VERSION_COLUMNS,
    Clock,
    Objects,
    check,
    check_free,
    count_deletion,
    find,
    find_bucket,
    next_generation,
    require_bucket,
    take_null,
    take_version,
    to_object,
    versions_of,
    write_row,
    write_version,
)
from .types import (
    ANYTHING,
    ENABLED,
    ObjectInfo,
    ObjectProperties,
    Precondition,
    State,
    VersionListing,
)

Pick = Callable[[ObjectInfo], bool]
HISTORY = (State.NONCURRENT, State.MARKER)
NEWEST = 1 << 62
"""Greater than every generation."""
MARKER_PROPERTIES = ObjectProperties(content_type="")


def find_version(
    connection: sqlite3.Connection, bucket: str, key: str, generation: int | None
) -> ObjectInfo | None:
    """Return the live version, or the one of this generation, or None.

    Soft-deleted versions and markers are not found. Raises NoSuchBucketError.
    """
    info = find(connection, bucket, key)
    if generation is None or (info and info.generation == generation):
        return info
    found = (
        each
        for each in versions_of(connection, bucket, key)
        if each.generation == generation and each.state is State.NONCURRENT
    )
    return next(found, None)


@dataclass(frozen=True, slots=True)
class VersionQuery:
    """What a listing of versions is about; `after` is the last entry of the page before."""

    bucket: str
    prefix: str = ""
    delimiter: str = ""
    after: tuple[str, int] | None = None
    limit: int = 1000
    states: tuple[State, ...] = (State.LIVE, *HISTORY)
    oldest_first: bool = False
    """Whether a key's versions are listed from old to new, as Cloud Storage lists them."""
    accept: Callable[[str], bool] = lambda _: True
    """Returns whether a key is listed."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions in a store."""

    database: Database
    objects: Objects
    clock: Clock

    def all(self, bucket: str, key: str) -> list[ObjectInfo]:
        """Return a key's versions and markers, the newest first; raises NoSuchBucketError."""
        with self.database.read() as connection:
            return _all(connection, bucket, key)

    def find(self, bucket: str, key: str, generation: int) -> ObjectInfo | None:
        """Return a live or noncurrent version, or None; raises NoSuchBucketError."""
        with self.database.read() as connection:
            return find_version(connection, bucket, key, generation)

    def find_deleted(self, bucket: str, key: str, generation: int | None) -> ObjectInfo | None:
        """Return a soft-deleted version that can be restored, by default the newest, or None."""
        with self.database.read() as connection:
            require_bucket(connection, bucket)
            found = (
                each
                for each in versions_of(connection, bucket, key)
                if each.state is State.SOFT_DELETED
                and generation in {None, each.generation}
                and each.until > self.clock()
            )
            return next(found, None)

    def hide(
        self, bucket: str, key: str, precondition: Precondition = ANYTHING
    ) -> ObjectInfo | None:
        """Delete as S3 does: in a bucket with versioning, put a delete marker and return it.

        Without versioning a missing object is no error, and None is returned. Raises
        NoSuchBucketError, PreconditionFailedError, NoSuchKeyError for an If-Match on no object.
        """
        with self.database.write() as connection:
            settings = find_bucket(connection, bucket)
            info = find(connection, bucket, key)
            check(info, bucket, key, precondition)
            if info:
                self.objects.remove(connection, info, settings)
            if not settings.versioning:
                return None
            versioned = settings.versioning == ENABLED
            if not versioned:
                self.objects.release(connection, take_null(connection, bucket, key))
            marker = self._marker(connection, bucket, key, versioned=versioned)
            write_version(connection, marker)
        return marker

    def _marker(
        self, connection: sqlite3.Connection, bucket: str, key: str, *, versioned: bool
    ) -> ObjectInfo:
        now = self.clock()
        return ObjectInfo(
            bucket=bucket,
            key=key,
            size=0,
            address=b"",
            md5=b"",
            crc32c=b"",
            crc32=b"",
            generation=next_generation(connection, now),
            metageneration=1,
            properties=replace(MARKER_PROPERTIES, versioned=versioned),
            created=now,
            updated=now,
            state=State.MARKER,
            ended=now,
        )

    def delete(
        self,
        bucket: str,
        key: str,
        pick: Pick,
        precondition: Precondition = ANYTHING,
        *,
        promote: bool,
    ) -> ObjectInfo | None:
        """Delete one version for good, or softly, and return it; None if none is picked.

        `promote` makes the newest remaining version live, unless it is a marker: as in S3, where
        the newest version is the object. Raises NoSuchBucketError, PreconditionFailedError,
        HeldError.
        """
        with self.database.write() as connection:
            settings = find_bucket(connection, bucket)
            chosen = next((each for each in _all(connection, bucket, key) if pick(each)), None)
            if chosen is None:
                return None
            check(chosen, bucket, key, precondition)
            now = self.clock()
            check_free(chosen, settings, now)
            if chosen.state is State.LIVE:
                count_deletion(connection, bucket, key)
                _take_live(connection, chosen)
            else:
                take_version(connection, chosen)
            freed = self.objects.soften(connection, chosen, settings, now)
            if promote:
                _promote(connection, bucket, key)
            self.objects.release(connection, freed)
        return chosen

    def restore(
        self, bucket: str, key: str, generation: int, precondition: Precondition = ANYTHING
    ) -> ObjectInfo:
        """Make a soft-deleted version a new live object.

        Raises NoSuchKeyError if it is lost, HeldError if the live object may not be replaced.
        """
        with self.database.write() as connection:
            settings = find_bucket(connection, bucket)
            live = find(connection, bucket, key)
            check(live, bucket, key, precondition)
            now = self.clock()
            deleted = next(
                (
                    each
                    for each in versions_of(connection, bucket, key)
                    if each.generation == generation
                    and each.state is State.SOFT_DELETED
                    and each.until > now
                ),
                None,
            )
            if deleted is None:
                raise NoSuchKeyError(bucket, key)
            freed: list[bytes] = []
            if live:
                self.objects.check_replaced(live, settings, now)
                freed = self.objects.retire(connection, live, settings, now)
            info = replace(
                deleted,
                generation=next_generation(connection, now),
                metageneration=1,
                created=now,
                updated=now,
                state=State.LIVE,
                ended=0.0,
                until=0.0,
            )
            write_row(connection, info)
            self.objects.release(connection, freed)
        return info

    def forget_bucket(self, connection: sqlite3.Connection, bucket: str) -> bool:
        """Drop the soft-deleted objects of a bucket, and return whether it has no others.

        Source: Cloud Storage, "Soft delete": a bucket that has only such objects can be deleted.
        """
        states = ", ".join(str(int(each)) for each in HISTORY)
        rows = connection.execute(
            "SELECT 1 FROM objects WHERE bucket = :it UNION ALL "  # noqa: S608 constants
            f"SELECT 1 FROM versions WHERE bucket = :it AND state IN ({states}) LIMIT 1",
            {"it": bucket},
        )
        if rows.fetchone():
            return False
        lost = connection.execute(
            "DELETE FROM versions WHERE bucket = ? RETURNING address", (bucket,)
        ).fetchall()
        self.objects.release(connection, [row[0] for row in lost])
        return True

    def list(self, query: VersionQuery) -> VersionListing:
        """Return a page of versions; raises NoSuchBucketError."""
        with self.database.read() as connection:
            require_bucket(connection, query.bucket)
            return _page(connection, query)


def _all(connection: sqlite3.Connection, bucket: str, key: str) -> list[ObjectInfo]:
    live = find(connection, bucket, key)
    rest = [each for each in versions_of(connection, bucket, key) if each.state in HISTORY]
    found = [live, *rest] if live else rest
    return sorted(found, key=lambda each: -each.generation)


def _take_live(connection: sqlite3.Connection, info: ObjectInfo) -> None:
    connection.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (info.bucket, info.key))


def _promote(connection: sqlite3.Connection, bucket: str, key: str) -> None:
    """Make the newest version live, if it is not already and is not a marker."""
    newest = next(iter(_all(connection, bucket, key)), None)
    if newest and newest.state is State.NONCURRENT:
        take_version(connection, newest)
        write_row(connection, replace(newest, state=State.LIVE, ended=0.0))


def _page(connection: sqlite3.Connection, query: VersionQuery) -> VersionListing:
    versions: list[ObjectInfo] = []
    prefixes: list[str] = []
    last: tuple[str, int] | None = query.after
    position = _start(query)
    while position is not None:
        scan, position = _scan(connection, query, position), None
        for row in scan:
            if not query.accept(row[1]):
                continue
            if len(versions) + len(prefixes) >= query.limit:
                return VersionListing(tuple(versions), tuple(prefixes), last)
            common = common_prefix(row[1], query.prefix, query.delimiter)
            if common:
                prefixes.append(common)
                last, position = (common, 0), _beyond(common)
                break
            versions.append(to_object(row))
            last = (row[1], versions[-1].generation)
    return VersionListing(tuple(versions), tuple(prefixes))


Position = tuple[str, int | None]
"""The first key of a scan, and the generation that its first version comes after."""


def _start(query: VersionQuery) -> Position | None:
    prefix = query.prefix
    if query.after is None:
        return prefix, None
    key, generation = query.after
    if generation:
        return (key, generation) if key >= prefix else (prefix, None)
    if query.delimiter and key.endswith(query.delimiter) and key > prefix:
        return _beyond(key)
    return max(prefix, f"{key}\0"), None


def _beyond(prefix: str) -> Position | None:
    following = beyond(prefix)
    return None if following is None else (following, None)


def _scan(
    connection: sqlite3.Connection, query: VersionQuery, start: Position
) -> Iterator[tuple[Any, ...]]:
    """Yield rows of VERSION_COLUMNS by key and generation."""
    key, older = start
    end = beyond(query.prefix)
    bound = "AND key < :end" if end is not None else ""
    listed = ", ".join(str(int(each)) for each in query.states)
    live = "AND 1" if State.LIVE in query.states else "AND 0"
    sign, order = (">", "ASC") if query.oldest_first else ("<", "DESC")
    bound += f" AND (key > :key OR generation {sign} :edge)"
    edge = older or (-1 if query.oldest_first else NEWEST)
    rows: Iterator[tuple[Any, ...]] = connection.execute(
        f"SELECT {COLUMNS}, 0, 0.0, 0.0 FROM objects WHERE bucket = :bucket "  # noqa: S608 constants
        f"AND key >= :key {bound} {live} UNION ALL "
        f"SELECT {VERSION_COLUMNS} FROM versions WHERE bucket = :bucket "
        f"AND key >= :key {bound} AND state IN ({listed}) ORDER BY key, generation {order}",
        {"bucket": query.bucket, "key": key, "edge": edge, "end": end},
    )
    return rows
