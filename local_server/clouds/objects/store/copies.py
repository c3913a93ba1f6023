"""Objects made from the bytes of other objects: copies, compositions and excerpts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from .blobs import COPY_BYTES, BlobDirectory
from .composite import Composites
from .database import Database
from .errors import NoSuchKeyError
from .object_table import Objects, find_bucket
from .types import (
    ANYTHING,
    Blob,
    ObjectInfo,
    ObjectProperties,
    Precondition,
    State,
    as_blob,
)
from .versions import find_version


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies inside a store. Copying and composing whole objects writes no bytes."""

    database: Database
    blobs: BlobDirectory
    composites: Composites
    objects: Objects

    def copy(
        self,
        source: ObjectInfo,
        name: tuple[str, str],
        properties: ObjectProperties | None = None,
        precondition: Precondition = ANYTHING,
        *,
        moved: bool = False,
    ) -> ObjectInfo:
        """Copy an object, which must not have changed, to this bucket and key.

        `moved` deletes the source, which must be live, in the same transaction. Raises HeldError,
        NoSuchBucketError, NoSuchKeyError, PreconditionFailedError.
        """
        properties = properties or source.properties
        # Only a composite object may lack an MD5, which is S3's ETag.
        checksums = () if properties.components else ("md5",)
        with _as_missing(source):
            blob = self.composites.with_digests(as_blob(source), checksums)
            with self.database.write() as connection:
                place = (source.bucket, source.key, source.generation)
                found = find_version(connection, *place)
                if found is None or (moved and found.state is not State.LIVE):
                    raise NoSuchKeyError(source.bucket, source.key)
                info = self.objects.put(connection, name, blob, properties, precondition)
                if moved:
                    self.objects.remove(connection, source, find_bucket(connection, source.bucket))
                return info

    def compose(
        self,
        sources: tuple[ObjectInfo, ...],
        name: tuple[str, str],
        properties: ObjectProperties,
        precondition: Precondition = ANYTHING,
    ) -> ObjectInfo:
        """Make an object of several objects' bytes, one after another.

        Raises NoSuchBucketError, PreconditionFailedError, and NoSuchKeyError if a source was
        deleted concurrently.
        """
        components = sum(source.properties.components or 1 for source in sources)
        properties = replace(properties, components=components)
        with _as_missing(sources[0]):
            blob = self.composites.join([as_blob(source) for source in sources])
            with self.database.write() as connection:
                return self.objects.put(connection, name, blob, properties, precondition)

    def excerpt(self, info: ObjectInfo, offset: int, length: int) -> Blob:
        """Return a range of an object's bytes as a new blob; raises NoSuchKeyError."""
        writer = self.blobs.writer()
        try:
            with _as_missing(info), self.composites.path(info.address).open("rb") as file:
                file.seek(offset)
                while length and (chunk := file.read(min(COPY_BYTES, length))):
                    writer.write(chunk)
                    length -= len(chunk)
        except BaseException:
            writer.abort()
            raise
        return writer.finish()


@contextmanager
def _as_missing(info: ObjectInfo) -> Iterator[None]:
    """Report a missing file as NoSuchKeyError: the object was deleted concurrently."""
    try:
        yield
    except FileNotFoundError as error:
        raise NoSuchKeyError(info.bucket, info.key) from error
