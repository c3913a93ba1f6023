"""The store's metadata: one SQLite file in WAL mode, shared by threads and processes.

Every change is one `BEGIN IMMEDIATE` transaction, so nothing changes between its reads and writes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...sqlite import open_database

VERSION = 6

_VERSIONS = """
CREATE TABLE versions (
    bucket TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, address BLOB NOT NULL,
    md5 BLOB NOT NULL, crc32c BLOB NOT NULL, crc32 BLOB NOT NULL, generation INTEGER NOT NULL,
    metageneration INTEGER NOT NULL, about BLOB NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL, state INTEGER NOT NULL, ended REAL NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (bucket, key, generation DESC)
) WITHOUT ROWID;
CREATE INDEX versions_by_content ON versions (address);
CREATE INDEX versions_by_end ON versions (until) WHERE until > 0;
"""
SCHEMA = """
CREATE TABLE buckets (
    name TEXT PRIMARY KEY, project TEXT NOT NULL, region TEXT NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL, metageneration INTEGER NOT NULL, settings BLOB NOT NULL,
    versioning TEXT NOT NULL, soft_delete REAL NOT NULL, retention REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE objects (
    bucket TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, address BLOB NOT NULL,
    md5 BLOB NOT NULL, crc32c BLOB NOT NULL, crc32 BLOB NOT NULL, generation INTEGER NOT NULL,
    metageneration INTEGER NOT NULL, about BLOB NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL, PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE INDEX objects_by_content ON objects (address);
CREATE TABLE uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, about BLOB NOT NULL,
    created REAL NOT NULL, conflicts INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL,
    md5 BLOB NOT NULL, crc32c BLOB NOT NULL, crc32 BLOB NOT NULL, checksum TEXT NOT NULL,
    created REAL NOT NULL, PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE INDEX parts_by_content ON parts (sha256);
CREATE TABLE pieces (
    address BLOB NOT NULL, position INTEGER NOT NULL, piece BLOB NOT NULL,
    PRIMARY KEY (address, position)
) WITHOUT ROWID;
CREATE INDEX pieces_by_content ON pieces (piece);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, about BLOB NOT NULL,
    precondition BLOB NOT NULL, expected BLOB NOT NULL, total INTEGER,
    received INTEGER NOT NULL, generation INTEGER NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE garbage (address BLOB PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE counter (generation INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
"""
_TO_5 = """
ALTER TABLE buckets ADD COLUMN versioning TEXT NOT NULL DEFAULT '';
ALTER TABLE buckets ADD COLUMN soft_delete REAL NOT NULL DEFAULT 0;
ALTER TABLE buckets ADD COLUMN retention REAL NOT NULL DEFAULT 0;
"""
_TO_6 = "ALTER TABLE uploads ADD COLUMN conflicts INTEGER NOT NULL DEFAULT 0"
UPGRADES = {4: f"{_TO_5}{_VERSIONS}".split(";\n"), 5: (_TO_6,)}
"""A folder that people keep opens in a later cloudserve, with its buckets and objects."""


class Database:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self.changes = 0
        """How many transactions of this process have been committed."""
        self._connection = open_database(
            path,
            VERSION,
            f"{SCHEMA}{_VERSIONS}".split(";\n"),
            synchronous="FULL",
            threads=True,
            upgrades=UPGRADES,
        )

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for reading; each statement sees its own snapshot."""
        with self._lock:
            yield self._connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside a transaction that commits at the end or rolls back."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            self.changes += 1

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()
