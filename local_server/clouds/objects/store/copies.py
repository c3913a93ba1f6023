"""Objects made of the bytes of others: copied, composed, cut out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .blobs import COPY_BYTES, BlobDirectory
from .composite import Joined
from .database import Database
from .errors import NoSuchKeyError
from .object_table import Objects, find
from .types import ANYTHING, About, Blob, ObjectInfo, Precondition, as_blob


class Copies:
    """Copies inside a store; the bytes of what is only copied or composed stay where they are."""

    def __init__(
        self, database: Database, blobs: BlobDirectory, joined: Joined, objects: Objects
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._joined = joined
        self._objects = objects

    def copy(
        self,
        source: ObjectInfo,
        name: tuple[str, str],
        about: About | None = None,
        precondition: Precondition = ANYTHING,
    ) -> ObjectInfo:
        """Make an object, by bucket and key, of another, which must still be as it was given.

        Raises NoSuchBucketError, NoSuchKeyError, PreconditionFailedError.
        """
        about = about or source.about
        # Only what is said to be of several pieces may be without an MD5, S3's ETag.
        wanted = () if about.components else ("md5",)
        with _as_missing(source):
            blob = self._joined.with_digests(as_blob(source), wanted)
            with self._database.write() as connection:
                now = find(connection, source.bucket, source.key)
                if now is None or now.generation != source.generation:
                    raise NoSuchKeyError(source.bucket, source.key)
                return self._objects.put(connection, name, blob, about, precondition)

    def compose(
        self,
        sources: tuple[ObjectInfo, ...],
        name: tuple[str, str],
        about: About,
        precondition: Precondition = ANYTHING,
    ) -> ObjectInfo:
        """Make an object, by bucket and key, of several objects' bytes, one after another.

        Raises NoSuchBucketError, PreconditionFailedError, and NoSuchKeyError when a source has
        gone meanwhile.
        """
        components = sum(source.about.components or 1 for source in sources)
        about = replace(about, components=components)
        with _as_missing(sources[0]):
            blob = self._joined.join([as_blob(source) for source in sources])
            with self._database.write() as connection:
                return self._objects.put(connection, name, blob, about, precondition)

    def excerpt(self, info: ObjectInfo, offset: int, length: int) -> Blob:
        """Return a span of an object's bytes as a new blob; raises NoSuchKeyError."""
        writer = self._blobs.writer()
        try:
            with _as_missing(info), self._joined.path(info.address).open("rb") as file:
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
    """Tell of a file that has gone as of its object, which was deleted meanwhile."""
    try:
        yield
    except FileNotFoundError as error:
        raise NoSuchKeyError(info.bucket, info.key) from error
