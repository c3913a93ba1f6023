"""Resumable uploads: files that grow chunk by chunk, in requests that may break off anywhere.

Bytes are flushed to disk before they are acknowledged and survive a restart. Running checksums
live in memory; after a restart they are computed again from the file.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from .blobs import BlobDirectory, BlobWriter
from .checksums import to_base64
from .database import Database
from .errors import DigestMismatchError, NoSuchUploadError, SessionBusyError
from .object_table import Clock, Objects, require_bucket
from .types import Blob, ObjectInfo, ObjectProperties, Precondition, Session

WEEK_SECONDS = 7 * 24 * 3600.0
"""How long a session lives (Cloud Storage documentation, "Resumable uploads")."""

MOST_OPEN = 32
"""How many idle sessions keep their file open; the file of any other is read again."""


@dataclass(frozen=True, slots=True)
class SessionChunk:
    """A request's exclusive write access; `Sessions.commit`, `finish` or `drop` ends it."""

    session: Session
    writer: BlobWriter


class Sessions:
    """The resumable uploads of a store; one request at a time writes to each."""

    def __init__(
        self, database: Database, blobs: BlobDirectory, objects: Objects, clock: Clock
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._objects = objects
        self._clock = clock
        self._idle: dict[str, BlobWriter] = {}
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def create(
        self,
        name: tuple[str, str],
        properties: ObjectProperties,
        precondition: Precondition,
        expected: Mapping[str, bytes],
        total: int | None,
    ) -> Session:
        """Start a session for this bucket and key; raises NoSuchBucketError."""
        session = Session(
            id=uuid.uuid4().hex,
            bucket=name[0],
            key=name[1],
            properties=properties,
            precondition=precondition,
            expected=expected,
            total=total,
            received=0,
            generation=0,
            created=self._clock(),
        )
        with self._database.write() as connection:
            require_bucket(connection, session.bucket)
            self._blobs.session(session.id).touch(exist_ok=False)
            _write(connection, session)
        return session

    def get(self, session: str) -> Session:
        """Return a session, finished or not; raises NoSuchUploadError."""
        with self._database.read() as connection:
            row = connection.execute("SELECT * FROM sessions WHERE id = ?", (session,)).fetchone()
        if row is None:
            raise NoSuchUploadError(session)
        return _to_session(row)

    def begin(self, session: str) -> SessionChunk:
        """Acquire a session for writing.

        Raises NoSuchUploadError, or SessionBusyError if another request is writing to it.
        """
        with self._lock:
            if session in self._busy:
                raise SessionBusyError(session)
            self._busy.add(session)
            writer = self._idle.pop(session, None)
        try:
            now = self._unfinished(session)
            if writer is None:
                writer = self._reopen(now)
        except BaseException:
            self._busy.discard(session)
            if writer is not None:
                writer.close()
            raise
        return SessionChunk(now, writer)

    def _reopen(self, session: Session) -> BlobWriter:
        """Return a writer that continues after the acknowledged bytes; raises NoSuchUploadError."""
        path = self._blobs.session(session.id)
        try:
            self._blobs.own(path, session.received)
            return BlobWriter(path, resume_at=session.received)
        except FileNotFoundError as error:
            raise NoSuchUploadError(session.id) from error

    def _unfinished(self, session: str) -> Session:
        now = self.get(session)
        if now.generation:
            raise NoSuchUploadError(session)
        return now

    def commit(self, chunk: SessionChunk) -> Session:
        """Acknowledge the chunk's bytes and release the session."""
        try:
            session = replace(chunk.session, received=chunk.writer.sync())
            with self._database.write() as connection:
                _write(connection, session)
        except BaseException:
            chunk.writer.close()
            raise
        else:
            self._keep_open(session.id, chunk.writer)
        finally:
            self._busy.discard(chunk.session.id)
        return session

    def _keep_open(self, session: str, writer: BlobWriter) -> None:
        """Keep a session's file open for its next request, within the limit of idle files."""
        with self._lock:
            self._idle[session] = writer
            if len(self._idle) > MOST_OPEN:
                self._idle.pop(next(iter(self._idle))).close()

    def finish(self, chunk: SessionChunk, expected: Mapping[str, bytes]) -> ObjectInfo:
        """Make the session's bytes the object and end the session, in one transaction.

        The file remains until the transaction has ended: if the process is killed before, the
        acknowledged bytes remain and the upload can continue.
        `expected` are the digests that the last request announced, beside the first one's. Raises
        DigestMismatchError, PreconditionFailedError, NoSuchBucketError; each ends the session.
        """
        session = chunk.session
        blob = self._blobs.shared(chunk.writer.finish())
        try:
            verify(blob, {**session.expected, **expected})
            with self._database.write() as connection:
                name = (session.bucket, session.key)
                info = self._objects.put(
                    connection, name, blob, session.properties, session.precondition
                )
                done = replace(session, received=blob.size, generation=info.generation)
                _write(connection, done)
        except BaseException:
            self._end(session.id)
            raise
        finally:
            self._blobs.discard(blob)
            self._busy.discard(session.id)
        self._blobs.session(session.id).unlink(missing_ok=True)
        return info

    def drop(self, chunk: SessionChunk) -> None:
        """Cancel the session and delete its bytes."""
        chunk.writer.close()
        self._end(chunk.session.id)
        self._busy.discard(chunk.session.id)

    def cancel(self, session: str) -> None:
        """Cancel a session for its client; raises NoSuchUploadError, SessionBusyError."""
        self.drop(self.begin(session))

    def forget_bucket(self, connection: sqlite3.Connection, bucket: str) -> None:
        """End the sessions of a bucket, inside the transaction that deletes the bucket."""
        rows = connection.execute("DELETE FROM sessions WHERE bucket = ? RETURNING id", (bucket,))
        for (session,) in rows.fetchall():
            self._blobs.session(session).unlink(missing_ok=True)

    def unfinished(self) -> set[str]:
        """Delete expired sessions and return the sessions whose files are still needed."""
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM sessions WHERE created <= ?", (self._clock() - WEEK_SECONDS,)
            )
            rows = connection.execute("SELECT id FROM sessions WHERE generation = 0").fetchall()
        return {row[0] for row in rows}

    def close(self) -> None:
        """Close the files of open sessions."""
        with self._lock:
            for writer in self._idle.values():
                writer.close()
            self._idle.clear()

    def _end(self, session: str) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM sessions WHERE id = ?", (session,))
        self._blobs.session(session).unlink(missing_ok=True)


def verify(blob: Blob, expected: Mapping[str, bytes]) -> None:
    """Raise DigestMismatchError unless a blob has all announced digests."""
    for algorithm, digest in expected.items():
        actual = blob.digests[algorithm]
        if actual != digest:
            raise DigestMismatchError(algorithm, to_base64(digest), to_base64(actual))


def _write(connection: sqlite3.Connection, session: Session) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session.id,
            session.bucket,
            session.key,
            msgspec.json.encode(session.properties),
            msgspec.json.encode(session.precondition),
            msgspec.json.encode(session.expected),
            session.total,
            session.received,
            session.generation,
            session.created,
        ),
    )


def _to_session(row: tuple[Any, ...]) -> Session:
    name, bucket, key, properties, precondition, expected, *rest = row
    return Session(
        name,
        bucket,
        key,
        msgspec.json.decode(properties, type=ObjectProperties),
        msgspec.json.decode(precondition, type=Precondition),
        msgspec.json.decode(expected, type=dict[str, bytes]),
        *rest,
    )
