"""Log entries in one SQLite database, by project and time.

A call returns after its change is in the database's log (WAL). Any thread may call: the output of
containers is read in threads.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...resources import Document
from ...sqlite import open_database, transaction

SCHEMA_VERSION = 1
_ENTRIES = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT, time TEXT, document TEXT
)
"""
_INDEX = "CREATE INDEX entries_by_time ON entries (project, time, id)"
MOST_ENTRIES = 100_000
"""The entries that a project keeps: a loop that prints does not fill the disk."""
_BETWEEN_TRIMS = 1000
_CHUNK = 500

Place = tuple[str, int]
"""The time and the number of an entry."""


class EntryStore:
    """The log entries of all projects."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(
            path, SCHEMA_VERSION, (_ENTRIES, _INDEX), synchronous="NORMAL", threads=True
        )
        self._lock = threading.Lock()
        self._is_closed = False
        self._since_trim: dict[str, int] = {}

    def close(self) -> None:
        """Close the database: entries that arrive later are dropped."""
        with self._lock:
            self._is_closed = True
            self._db.close()

    def add(self, project: str, entries: Sequence[Document]) -> None:
        """Append entries, whose timestamps have nine digits after the point."""
        self.add_all({project: entries})

    def add_all(self, entries: Mapping[str, Sequence[Document]]) -> None:
        """Append entries by project, all or none."""
        rows = [
            (project, entry["timestamp"], json.dumps(entry))
            for project, of_project in entries.items()
            for entry in of_project
        ]
        sql = "INSERT INTO entries (project, time, document) VALUES (?, ?, ?)"
        with self._lock:
            if self._is_closed:
                return
            with transaction(self._db):
                self._db.executemany(sql, rows)
            for project, of_project in entries.items():
                self._trim_at_times(project, len(of_project))

    def _trim_at_times(self, project: str, number: int) -> None:
        added = self._since_trim.get(project, 0) + number
        self._since_trim[project] = added % _BETWEEN_TRIMS
        if added >= _BETWEEN_TRIMS:
            self._trim(project)

    def _trim(self, project: str) -> None:
        sql = (
            "DELETE FROM entries WHERE project = ? AND id <= (SELECT id FROM entries"
            " WHERE project = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"
        )
        self._db.execute(sql, (project, project, MOST_ENTRIES))

    def entries(
        self, project: str, since: str, after: Place | None, *, descending: bool
    ) -> Iterator[tuple[Place, Document]]:
        """Yield the entries of a project from a time on, in the order of their times.

        `after` is the place of the last entry of an earlier page.
        """
        place = after
        while rows := self._rows(project, since, place, descending=descending):
            for number, time, document in rows:
                place = time, number
                yield place, json.loads(document)

    def _rows(
        self, project: str, since: str, after: Place | None, *, descending: bool
    ) -> list[tuple[int, str, str]]:
        first, newest = ("", 0), ("~", 0)
        low, high = (first, after or newest) if descending else (after or first, newest)
        sql = _DESCENDING if descending else _ASCENDING
        with self._lock:
            if self._is_closed:
                return []
            return self._db.execute(sql, (project, since, *low, *high, _CHUNK)).fetchall()


_SELECT = """
SELECT id, time, document FROM entries
WHERE project = ? AND time >= ? AND (time, id) > (?, ?) AND (time, id) < (?, ?)
"""
_ASCENDING = _SELECT + "ORDER BY time, id LIMIT ?"
_DESCENDING = _SELECT + "ORDER BY time DESC, id DESC LIMIT ?"
