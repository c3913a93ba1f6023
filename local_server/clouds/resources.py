"""The offline clouds' resources: JSON documents in one SQLite database.

A call returns after its change is in the database's log (WAL), so a killed process loses nothing
that it acknowledged. Calls take tens of microseconds and come from one thread, the event loop's:
reads and writes without an `await` in between are atomic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from .sqlite import open_database, transaction

Document = dict[str, Any]
"""A resource as JSON; keys are the platform's."""

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE resources (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID
"""


class Record(msgspec.Struct, frozen=True, kw_only=True, rename=lambda name: f"_{name}"):
    """A resource: the document that the API shows, and internal fields beside it.

    They are stored as one JSON object, in which the names of the internal fields begin with "_".
    """

    document: Document

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Return the record of a stored object; internal fields of other versions are ignored."""
        internal = {key: value for key, value in stored.items() if key.startswith("_")}
        return msgspec.convert(internal | {"_document": shown(stored)}, cls)

    def stored(self) -> Document:
        """Return the object to store."""
        fields: Document = msgspec.to_builtins(self)
        document: Document = fields.pop("_document")
        return document | fields

    def having(self, document: Document) -> Self:
        """Return the record with another document."""
        return msgspec.structs.replace(self, document=document)


def shown(stored: Mapping[str, Any]) -> Document:
    """Return a stored object without its internal fields."""
    return {key: value for key, value in stored.items() if not key.startswith("_")}


class Resources:
    """A table of (kind, name) -> document, ordered by name."""

    def __init__(self, path: Path) -> None:
        # No fsync per change: the log survives a killed process, though not a power failure.
        self._db = open_database(
            path, SCHEMA_VERSION, (_SCHEMA,), synchronous="NORMAL", threads=False
        )

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @property
    def changes(self) -> int:
        """Return how many changes were made; equal if there was none in between."""
        return self._db.total_changes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the calls inside one transaction, which an exception rolls back."""
        with transaction(self._db):
            yield

    def create(self, kind: str, name: str, document: Mapping[str, Any]) -> bool:
        """Add a document; return False, and change nothing, if the name is in use."""
        sql = "INSERT OR IGNORE INTO resources VALUES (?, ?, ?)"
        return self._db.execute(sql, (kind, name, json.dumps(document))).rowcount == 1

    def put(self, kind: str, name: str, document: Mapping[str, Any]) -> None:
        """Write a document, replacing any other of this name."""
        sql = "INSERT OR REPLACE INTO resources VALUES (?, ?, ?)"
        self._db.execute(sql, (kind, name, json.dumps(document)))

    def replace(
        self, kind: str, name: str, expected: Mapping[str, Any], document: Mapping[str, Any]
    ) -> bool:
        """Write a document if the name has the expected one; return whether it did."""
        if self.get(kind, name) != expected:
            return False
        self.put(kind, name, document)
        return True

    def get(self, kind: str, name: str) -> Document | None:
        """Return a document, or None."""
        sql = "SELECT document FROM resources WHERE kind = ? AND name = ?"
        row = self._db.execute(sql, (kind, name)).fetchone()
        return None if row is None else _document(row[0])

    def list(self, kind: str, prefix: str = "") -> list[tuple[str, Document]]:
        """Return the (name, document) pairs whose names start with the prefix, sorted by name."""
        sql = (
            "SELECT name, document FROM resources WHERE kind = :kind AND name >= :prefix"
            " AND substr(name, 1, length(:prefix)) = :prefix ORDER BY name"
        )
        rows = self._db.execute(sql, {"kind": kind, "prefix": prefix})
        return [(name, _document(text)) for name, text in rows]

    def delete(self, kind: str, name: str) -> bool:
        """Remove a document; return whether it existed."""
        sql = "DELETE FROM resources WHERE kind = ? AND name = ?"
        return self._db.execute(sql, (kind, name)).rowcount == 1


def _document(text: str) -> Document:
    document: Document = json.loads(text)
    return document
