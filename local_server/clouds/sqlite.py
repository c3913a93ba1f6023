"""SQLite databases of the offline clouds, with a format version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloudserve.errors import UserError

BUSY_SECONDS = 60.0
Upgrades = Mapping[int, Sequence[str]]
"""The statements that bring a database of this format to the next one."""
NO_UPGRADES: Upgrades = {}


def open_database(
    path: Path,
    version: int,
    schema: Sequence[str],
    *,
    synchronous: str,
    threads: bool,
    upgrades: Upgrades = NO_UPGRADES,
) -> sqlite3.Connection:
    """Open a database in WAL and autocommit mode; a new one gets the schema.

    `synchronous` is SQLite's setting; `threads` lets several threads use the connection, one at
    a time. A database of an earlier format is upgraded in one transaction, if `upgrades` lead from
    it to `version`. Raises UserError for a file that is not a database or has another format.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=not threads
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        _prepare(connection, path, version, schema, upgrades)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise UserError(
            f"the offline clouds' database cannot be read: {error}",
            where=str(path),
            hint="start with another --data directory, or remove this one",
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make the statements inside one transaction, which an exception rolls back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(
    connection: sqlite3.Connection,
    path: Path,
    version: int,
    schema: Sequence[str],
    upgrades: Upgrades,
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    (current,) = connection.execute("PRAGMA user_version").fetchone()
    steps = range(current, version) if current else range(0)
    if current > version or not upgrades.keys() >= set(steps):
        raise UserError(
            f"the offline clouds' database has format {current}; this cloudserve uses {version}",
            where=str(path),
            hint="start with another --data directory",
        )
    statements = schema if not current else [each for step in steps for each in upgrades[step]]
    for statement in statements:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("COMMIT")
