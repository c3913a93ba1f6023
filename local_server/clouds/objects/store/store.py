"""The store itself: buckets and objects, for S3 and GCS alike.

Bytes come first (`writer`, hashed and safe on disk), then one transaction checks the
precondition and makes them an object. A process that dies in between leaves the object as it was.
Give two clouds a store each where their bucket names must not meet.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from . import export_tree
from .blobs import BlobDirectory, BlobWriter
from .composite import Joined
from .copies import Copies
from .database import Database
from .errors import BucketExistsError, BucketNotEmptyError, NoSuchKeyError
from .listing import list_objects, usage
from .object_table import (
    Clock,
    Objects,
    check,
    find,
    find_bucket,
    orphans,
    require_bucket,
    to_bucket,
    write_bucket,
    write_row,
)
from .sessions import Sessions
from .types import ANYTHING, About, Blob, BucketInfo, Listing, ObjectInfo, Precondition
from .uploads import Uploads

PAGE = 1000
DEFAULT_ABOUT = About()
NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


class ObjectStore:
    """Objects in a directory. Threads and processes may share it; each opens its own."""

    def __init__(self, root: Path, *, clock: Clock = time.time) -> None:
        """Open the store, or make one; whoever opens it alone sweeps what a crash left.

        Raises UserError when there is something else in the directory.
        """
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._clock = clock
        self._blobs = BlobDirectory(root)
        self._guard = (root / "lock").open("a+b")
        alone = _try_exclusive(self._guard.fileno())
        try:
            self._database = Database(root / "objects.db")
        except BaseException:
            self._guard.close()
            raise
        self._objects = Objects(self._blobs, clock)
        self._joined = Joined(self._database, self._blobs, self._objects)
        self.copies = Copies(self._database, self._blobs, self._joined, self._objects)
        self.uploads = Uploads(self._database, self._blobs, self._joined, self._objects, clock)
        self.sessions = Sessions(self._database, self._blobs, self._objects, clock)
        if alone:
            self._sweep()
        fcntl.flock(self._guard, fcntl.LOCK_SH)

    def _sweep(self) -> None:
        self._blobs.sweep(self.sessions.unfinished())
        with self._database.write() as connection:
            for path in orphans(connection, self._blobs):
                path.unlink()
            connection.execute("DELETE FROM garbage")

    def close(self) -> None:
        """Close the store's files; sessions under way are kept for the next opening."""
        self.sessions.close()
        self._database.close()
        self._guard.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Buckets

    def create_bucket(
        self,
        name: str,
        *,
        project: str = "",
        region: str = "",
        settings: Mapping[str, Any] = NO_SETTINGS,
    ) -> BucketInfo:
        """Make a bucket; raises BucketExistsError."""
        now = self._clock()
        bucket = BucketInfo(name, project, region, now, now, 1, settings)
        with self._database.write() as connection:
            if connection.execute("SELECT 1 FROM buckets WHERE name = ?", (name,)).fetchone():
                raise BucketExistsError(name)
            write_bucket(connection, bucket)
        return bucket

    def get_bucket(self, name: str) -> BucketInfo:
        """Return a bucket; raises NoSuchBucketError."""
        with self._database.read() as connection:
            return find_bucket(connection, name)

    def update_bucket(
        self, name: str, change: Callable[[BucketInfo], Mapping[str, Any]]
    ) -> BucketInfo:
        """Give a bucket the settings that a function returns; raises NoSuchBucketError."""
        with self._database.write() as connection:
            before = find_bucket(connection, name)
            changed = replace(
                before,
                settings=change(before),
                metageneration=before.metageneration + 1,
                updated=self._clock(),
            )
            write_bucket(connection, changed)
        return changed

    def list_buckets(self) -> tuple[BucketInfo, ...]:
        """Return all buckets by name."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM buckets ORDER BY name").fetchall()
        return tuple(to_bucket(row) for row in rows)

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket and the uploads under way in it.

        Raises NoSuchBucketError, BucketNotEmptyError.
        """
        with self._database.write() as connection:
            require_bucket(connection, name)
            held = connection.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (name,))
            if held.fetchone():
                raise BucketNotEmptyError(name)
            self.uploads.forget_bucket(connection, name)
            self.sessions.forget_bucket(connection, name)
            connection.execute("DELETE FROM buckets WHERE name = ?", (name,))

    # Writing

    def writer(self, extra: tuple[str, ...] = ()) -> BlobWriter:
        """Return a writer for new bytes; `extra` names checksums beyond `checksums.ALWAYS`."""
        return self._blobs.writer(extra)

    def discard(self, blob: Blob) -> None:
        """Forget a blob that was not put."""
        self._blobs.discard(blob)

    def put(
        self,
        bucket: str,
        key: str,
        blob: Blob,
        about: About = DEFAULT_ABOUT,
        precondition: Precondition = ANYTHING,
    ) -> ObjectInfo:
        """Make a blob the object of this name; the blob is used up whether this succeeds or not.

        Raises NoSuchBucketError, PreconditionFailedError, or NoSuchKeyError when an If-Match
        finds no object.
        """
        try:
            with self._database.write() as connection:
                return self._objects.put(connection, (bucket, key), blob, about, precondition)
        finally:
            self.discard(blob)

    def update(
        self,
        bucket: str,
        key: str,
        change: Callable[[About], About],
        precondition: Precondition = ANYTHING,
        *,
        dated: bool = True,
    ) -> ObjectInfo:
        """Change what is said of an object by a function, and count its metageneration up.

        `dated` makes now the time of its last change, as GCS does for metadata and S3 not for tags.
        Raises NoSuchBucketError, NoSuchKeyError, PreconditionFailedError.
        """
        with self._database.write() as connection:
            before = _require(find(connection, bucket, key), bucket, key)
            check(before, bucket, key, precondition)
            info = replace(
                before,
                about=change(before.about),
                metageneration=before.metageneration + 1,
                updated=self._clock() if dated else before.updated,
            )
            write_row(connection, info)
        return info

    def delete(self, bucket: str, key: str, precondition: Precondition = ANYTHING) -> None:
        """Delete an object; raises NoSuchBucketError, NoSuchKeyError, PreconditionFailedError."""
        with self._database.write() as connection:
            info = _require(find(connection, bucket, key), bucket, key)
            check(info, bucket, key, precondition)
            self._objects.remove(connection, info)

    # Reading

    def find(self, bucket: str, key: str) -> ObjectInfo | None:
        """Return an object, or None; raises NoSuchBucketError."""
        with self._database.read() as connection:
            return find(connection, bucket, key)

    def get(self, bucket: str, key: str) -> ObjectInfo:
        """Return an object; raises NoSuchBucketError, NoSuchKeyError."""
        return _require(self.find(bucket, key), bucket, key)

    def path(self, info: ObjectInfo) -> Path:
        """Return the read-only file that holds an object's bytes, made now if it was joined.

        It stays for a minute (`rows.GRACE_SECONDS`) after the object was replaced or deleted.
        """
        return self._joined.path(info.address)

    def list(
        self,
        bucket: str,
        prefix: str = "",
        *,
        delimiter: str = "",
        start: str = "",
        limit: int = PAGE,
    ) -> Listing:
        """Return a page of a listing (see `listing.list_objects`); raises NoSuchBucketError."""
        with self._database.read() as connection:
            return list_objects(
                connection, bucket, prefix, delimiter=delimiter, start=start, limit=limit
            )

    def walk(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield all objects under a prefix in key order; raises NoSuchBucketError."""
        start: str | None = ""
        while start is not None:
            page = self.list(bucket, prefix, start=start)
            yield from page.objects
            start = page.next

    def usage(self, bucket: str, prefix: str = "") -> tuple[int, int]:
        """Return how many objects and bytes lie under a prefix; raises NoSuchBucketError."""
        with self._database.read() as connection:
            return usage(connection, bucket, prefix)

    def checkout(self, bucket: str, prefix: str, into: Path) -> tuple[int, int]:
        """Make a directory of all objects below a prefix, taken as a folder; see `checkout`.

        Returns files and bytes; raises NoSuchBucketError, CheckoutError.
        """
        folder = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        return export_tree.lay_out(self.walk(bucket, folder), folder, into, self.path)


def _require(info: ObjectInfo | None, bucket: str, key: str) -> ObjectInfo:
    if info is None:
        raise NoSuchKeyError(bucket, key)
    return info


def _try_exclusive(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return False
    return True
