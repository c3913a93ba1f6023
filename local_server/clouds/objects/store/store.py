"""The object store: buckets and objects for S3 and GCS.

Bytes come first: a writer hashes them and flushes them to disk. One transaction then checks the
precondition and publishes the object. A process that dies in between leaves the object unchanged.
Two clouds whose bucket names must not collide need a store each.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from cloudserve.files import try_lock

from . import export_tree
from .blobs import BlobDirectory, BlobWriter
from .composite import Composites
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
    write_version,
)
from .sessions import Sessions
from .types import (
    ANYTHING,
    Blob,
    BucketInfo,
    Listing,
    ObjectInfo,
    ObjectProperties,
    Precondition,
    State,
)
from .uploads import Uploads
from .versions import Versions, find_version

PAGE = 1000
DEFAULT_PROPERTIES = ObjectProperties()
NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


class ObjectStore:
    """Objects in a directory that threads and processes may share; each opens its own store."""

    def __init__(self, root: Path, *, clock: Clock = time.time) -> None:
        """Open or create the store; a process that opens it alone sweeps what a crash left.

        Raises UserError if the directory holds anything else.
        """
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._clock = clock
        self._blobs = BlobDirectory(root)
        self._guard = (root / "lock").open("a+b")
        alone = try_lock(self._guard)
        if not alone:  # wait for a process that opens it alone
            fcntl.flock(self._guard, fcntl.LOCK_SH)
        try:
            self._database = Database(root / "objects.db")
        except BaseException:
            self._guard.close()
            raise
        self._objects = Objects(self._blobs, clock)
        self._composites = Composites(self._database, self._blobs, self._objects)
        self.copies = Copies(self._database, self._blobs, self._composites, self._objects)
        self.uploads = Uploads(self._database, self._blobs, self._composites, self._objects, clock)
        self.versions = Versions(self._database, self._objects, clock)
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
        """Close the store's files; open sessions survive until the store is opened again."""
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
        change: Callable[[BucketInfo], BucketInfo] = lambda bucket: bucket,
    ) -> BucketInfo:
        """Create a bucket as `change` returns it; raises BucketExistsError."""
        now = self._clock()
        bucket = change(BucketInfo(name, project, region, now, now, 1, settings))
        with self._database.write() as connection:
            if connection.execute("SELECT 1 FROM buckets WHERE name = ?", (name,)).fetchone():
                raise BucketExistsError(name)
            write_bucket(connection, bucket)
        return bucket

    def get_bucket(self, name: str) -> BucketInfo:
        """Return a bucket; raises NoSuchBucketError."""
        with self._database.read() as connection:
            return find_bucket(connection, name)

    def update_bucket(self, name: str, change: Callable[[BucketInfo], BucketInfo]) -> BucketInfo:
        """Replace a bucket by what `change` returns; raises NoSuchBucketError."""
        with self._database.write() as connection:
            previous = find_bucket(connection, name)
            changed = replace(
                change(previous),
                metageneration=previous.metageneration + 1,
                updated=self._clock(),
            )
            write_bucket(connection, changed)
        return changed

    def list_buckets(self) -> tuple[BucketInfo, ...]:
        """Return all buckets, sorted by name."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM buckets ORDER BY name").fetchall()
        return tuple(to_bucket(row) for row in rows)

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket and its unfinished uploads.

        Raises NoSuchBucketError, BucketNotEmptyError.
        """
        with self._database.write() as connection:
            require_bucket(connection, name)
            if not self.versions.forget_bucket(connection, name):
                raise BucketNotEmptyError(name)
            self.uploads.forget_bucket(connection, name)
            self.sessions.forget_bucket(connection, name)
            connection.execute("DELETE FROM buckets WHERE name = ?", (name,))

    # Writing

    def writer(self, extra: tuple[str, ...] = ()) -> BlobWriter:
        """Return a writer for new bytes; `extra` names checksums beyond `checksums.ALWAYS`."""
        return self._blobs.writer(extra)

    def discard(self, blob: Blob) -> None:
        """Remove a blob that was not stored."""
        self._blobs.discard(blob)

    def put(
        self,
        bucket: str,
        key: str,
        blob: Blob,
        properties: ObjectProperties = DEFAULT_PROPERTIES,
        precondition: Precondition = ANYTHING,
    ) -> ObjectInfo:
        """Store a blob as an object; the blob is consumed even if this fails.

        Raises NoSuchBucketError, PreconditionFailedError, or NoSuchKeyError for an If-Match without
        an object.
        """
        try:
            with self._database.write() as connection:
                return self._objects.put(connection, (bucket, key), blob, properties, precondition)
        finally:
            self.discard(blob)

    def update(
        self,
        bucket: str,
        key: str,
        change: Callable[[ObjectProperties], ObjectProperties],
        precondition: Precondition = ANYTHING,
        *,
        generation: int | None = None,
        dated: bool = True,
    ) -> ObjectInfo:
        """Replace an object's properties by those `change` returns, and count its metageneration.

        `generation` names a version, which is the live one by default. `dated` sets the time of the
        last change, as GCS does for metadata and S3 does not for tags.
        Raises NoSuchBucketError, NoSuchKeyError, PreconditionFailedError.
        """
        with self._database.write() as connection:
            previous = _require(find_version(connection, bucket, key, generation), bucket, key)
            check(previous, bucket, key, precondition)
            info = replace(
                previous,
                properties=change(previous.properties),
                metageneration=previous.metageneration + 1,
                updated=self._clock() if dated else previous.updated,
            )
            (write_row if info.state is State.LIVE else write_version)(connection, info)
        return info

    def delete(self, bucket: str, key: str, precondition: Precondition = ANYTHING) -> None:
        """Delete the live object, which the bucket may keep as a version.

        Raises NoSuchBucketError, NoSuchKeyError, PreconditionFailedError, HeldError.
        """
        with self._database.write() as connection:
            info = _require(find(connection, bucket, key), bucket, key)
            check(info, bucket, key, precondition)
            self._objects.remove(connection, info, find_bucket(connection, bucket))

    # Reading

    def find(self, bucket: str, key: str) -> ObjectInfo | None:
        """Return an object, or None; raises NoSuchBucketError."""
        with self._database.read() as connection:
            return find(connection, bucket, key)

    def get(self, bucket: str, key: str) -> ObjectInfo:
        """Return an object; raises NoSuchBucketError, NoSuchKeyError."""
        return _require(self.find(bucket, key), bucket, key)

    def path(self, info: ObjectInfo) -> Path:
        """Return the read-only file with an object's bytes; a composite becomes one file now.

        The file outlives the object by a minute (`object_table.GRACE_SECONDS`).
        """
        return self._composites.path(info.address)

    def list(
        self,
        bucket: str,
        prefix: str = "",
        *,
        delimiter: str = "",
        start: str = "",
        limit: int = PAGE,
        accept: Callable[[str], bool] = lambda _: True,
    ) -> Listing:
        """Return a page of a listing (see `listing.list_objects`); raises NoSuchBucketError."""
        with self._database.read() as connection:
            return list_objects(
                connection,
                bucket,
                prefix,
                delimiter=delimiter,
                start=start,
                limit=limit,
                accept=accept,
            )

    def walk(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield all objects under a prefix in key order; raises NoSuchBucketError."""
        start: str | None = ""
        while start is not None:
            page = self.list(bucket, prefix, start=start)
            yield from page.objects
            start = page.next

    @property
    def changes(self) -> int:
        """Return how many changes this process has made; equal if there was none in between."""
        return self._database.changes

    def usage(self, bucket: str, prefix: str = "") -> tuple[int, int]:
        """Count the objects and bytes under a prefix; raises NoSuchBucketError."""
        with self._database.read() as connection:
            return usage(connection, bucket, prefix)

    def checkout(self, bucket: str, prefix: str, into: Path) -> tuple[int, int]:
        """Export the objects below a prefix as a directory (see `export_tree.lay_out`).

        Returns the numbers of files and bytes; raises NoSuchBucketError, CheckoutError.
        """
        folder = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        return export_tree.lay_out(self.walk(bucket, folder), folder, into, self.path)


def _require(info: ObjectInfo | None, bucket: str, key: str) -> ObjectInfo:
    if info is None:
        raise NoSuchKeyError(bucket, key)
    return info
