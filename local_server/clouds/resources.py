"""The offline clouds' resources on disk: JSON documents in one SQLite database.

A call has returned only when its change is in the database's log (WAL), so that a killed process
loses nothing it has answered for. Calls take tens of microseconds and come from one thread, the
event loop's: what is read and written without an `await` in between cannot be torn apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .sqlite import open_database

Document = dict[str, Any]
"""A resource as plain JSON; its keys are the platform's own, private ones start with "_"."""

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE resources (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID
"""


class Resources:
    """A table of (kind, name) -> document, ordered by name."""

    def __init__(self, path: Path) -> None:
        # No fsync for each change: the log outlives a killed process, if not a power cut.
        self._db = open_database(
            path, SCHEMA_VERSION, (_SCHEMA,), synchronous="NORMAL", threads=False
        )

    def close(self) -> None:
        """Close the database; the object is of no use afterwards."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the calls inside one change: all of it, or none when an exception leaves."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def create(self, kind: str, name: str, document: Mapping[str, Any]) -> bool:
        """Add a document and return True; when the name is taken change nothing, return False."""
        sql = "INSERT OR IGNORE INTO resources VALUES (?, ?, ?)"
        return self._db.execute(sql, (kind, name, json.dumps(document))).rowcount == 1

    def put(self, kind: str, name: str, document: Mapping[str, Any]) -> None:
        """Write a document, over whatever the name held."""
        sql = "INSERT OR REPLACE INTO resources VALUES (?, ?, ?)"
        self._db.execute(sql, (kind, name, json.dumps(document)))

    def replace(
        self, kind: str, name: str, expected: Mapping[str, Any], document: Mapping[str, Any]
    ) -> bool:
        """Write a document if the name still holds the expected one; say whether it did."""
        if self.get(kind, name) != expected:
            return False
        self.put(kind, name, document)
        return True

    def get(self, kind: str, name: str) -> Document | None:
        """Return a document, or None when there is none of this name."""
        sql = "SELECT document FROM resources WHERE kind = ? AND name = ?"
        row = self._db.execute(sql, (kind, name)).fetchone()
        return None if row is None else _document(row[0])

    def list(self, kind: str, prefix: str = "") -> list[tuple[str, Document]]:
        """Return the (name, document) pairs whose names start with the prefix, by name."""
        sql = (
            "SELECT name, document FROM resources WHERE kind = ?1 AND name >= ?2"
            " AND substr(name, 1, length(?2)) = ?2 ORDER BY name"
        )
        return [(name, _document(text)) for name, text in self._db.execute(sql, (kind, prefix))]

    def delete(self, kind: str, name: str) -> bool:
        """Remove a document; say whether there was one."""
        sql = "DELETE FROM resources WHERE kind = ? AND name = ?"
        return self._db.execute(sql, (kind, name)).rowcount == 1


def _document(text: str) -> Document:
    document: Document = json.loads(text)
    return document
