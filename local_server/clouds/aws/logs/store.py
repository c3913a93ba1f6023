"""Log groups, streams and events in one SQLite database.

A call returns after its change is in the database's log (WAL). Any thread may call: the output of
containers is read in threads.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...sqlite import open_database, transaction

SCHEMA_VERSION = 1
_GROUPS = """
CREATE TABLE groups (
    region TEXT, name TEXT, created INTEGER, retention INTEGER, PRIMARY KEY (region, name)
)
"""
_STREAMS = """
CREATE TABLE streams (
    id INTEGER PRIMARY KEY, region TEXT, grouped TEXT, name TEXT, created INTEGER,
    UNIQUE (region, grouped, name)
)
"""
_ALL_EVENTS = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER, time INTEGER, ingested INTEGER,
    message TEXT
)
"""
_INDEX = "CREATE INDEX events_by_time ON events (stream, time, id)"
_EVENTS = """
SELECT events.id, streams.name, time, ingested, message
FROM events JOIN streams ON streams.id = events.stream
WHERE events.stream IN (SELECT value FROM json_each(?)) AND time >= ? AND time < ?
AND (time, events.id) > (?, ?) AND (time, events.id) < (?, ?)
"""
_OLDEST = _EVENTS + "ORDER BY time, events.id LIMIT ?"
_NEWEST = _EVENTS + "ORDER BY time DESC, events.id DESC LIMIT ?"
MOST_EVENTS = 100_000
"""The events that a stream keeps: a loop that prints does not fill the disk."""
_BETWEEN_TRIMS = 1000
END = 2**62
"""A time after all events."""


@dataclass(frozen=True, slots=True)
class Group:
    """A log group; times are in milliseconds since the epoch."""

    name: str
    created: int
    retention: int | None
    """In days; None keeps events forever."""
    size: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A log stream; times are in milliseconds since the epoch."""

    id: int
    name: str
    created: int
    first: int | None = None
    """The time of its first event."""
    last: int | None = None
    ingested: int | None = None
    """When its last event arrived."""


@dataclass(frozen=True, slots=True)
class Event:
    """A log event; times are in milliseconds since the epoch."""

    id: int
    stream: str
    time: int
    ingested: int
    message: str

    @property
    def place(self) -> tuple[int, int]:
        """Return its place among the events of its group."""
        return self.time, self.id


@dataclass(frozen=True, slots=True)
class Span:
    """Which events: from a time, before an end, and after or before a place."""

    since: int = 0
    until: int = END
    """Excluded."""
    after: tuple[int, int] = (-1, 0)
    before: tuple[int, int] = (END, 0)


class LogStore:
    """The logs of an account, by region."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        """Open the database; `now` returns the time in seconds."""
        self._now = now
        self._db = open_database(
            path,
            SCHEMA_VERSION,
            (_GROUPS, _STREAMS, _ALL_EVENTS, _INDEX),
            synchronous="NORMAL",
            threads=True,
        )
        self._lock = threading.Lock()
        self._is_closed = False
        self._since_trim: dict[int, int] = {}

    def close(self) -> None:
        """Close the database: events that arrive later are dropped."""
        with self._lock:
            self._is_closed = True
            self._db.close()

    def now(self) -> int:
        """Return the time in milliseconds."""
        return int(self._now() * 1000)

    def create_group(self, region: str, name: str) -> bool:
        """Add a group; return whether it is new."""
        sql = "INSERT OR IGNORE INTO groups VALUES (?, ?, ?, NULL)"
        return self._change(sql, region, name, self.now()) == 1

    def create_stream(self, region: str, group: str, name: str) -> bool:
        """Add a stream to an existing group; return whether it is new."""
        sql = "INSERT OR IGNORE INTO streams (region, grouped, name, created) VALUES (?, ?, ?, ?)"
        return self._change(sql, region, group, name, self.now()) == 1

    def delete_group(self, region: str, name: str) -> bool:
        """Remove a group with its streams and events, atomically; return whether it existed."""
        return self._delete(
            "DELETE FROM events WHERE stream IN"
            " (SELECT id FROM streams WHERE region = ? AND grouped = ?)",
            "DELETE FROM streams WHERE region = ? AND grouped = ?",
            "DELETE FROM groups WHERE region = ? AND name = ?",
            values=(region, name),
        )

    def delete_stream(self, region: str, group: str, name: str) -> bool:
        """Remove a stream with its events, atomically; return whether it existed."""
        stream = self.stream(region, group, name)
        if stream is None:
            return False
        return self._delete(
            "DELETE FROM events WHERE stream = ?",
            "DELETE FROM streams WHERE id = ?",
            values=(stream.id,),
        )

    def set_retention(self, region: str, name: str, days: int | None) -> bool:
        """Set how many days a group keeps its events; return whether it exists."""
        sql = "UPDATE groups SET retention = ? WHERE region = ? AND name = ?"
        return self._change(sql, days, region, name) == 1

    def groups(self, region: str) -> list[Group]:
        """Return the groups of a region, by name."""
        sql = (
            "SELECT name, created, retention, (SELECT coalesce(sum(length(message) + 26), 0)"
            " FROM events WHERE stream IN (SELECT id FROM streams WHERE streams.region ="
            " groups.region AND grouped = groups.name)) FROM groups WHERE region = ? ORDER BY name"
        )
        return [Group(*row) for row in self._rows(sql, region)]

    def has_group(self, region: str, name: str) -> bool:
        """Return whether a group exists."""
        return bool(self._rows("SELECT 1 FROM groups WHERE region = ? AND name = ?", region, name))

    def streams(self, region: str, group: str) -> list[Stream]:
        """Return the streams of a group, by name."""
        sql = (
            "SELECT id, name, created, (SELECT min(time) FROM events WHERE stream = streams.id),"
            " (SELECT max(time) FROM events WHERE stream = streams.id),"
            " (SELECT max(ingested) FROM events WHERE stream = streams.id)"
            " FROM streams WHERE region = ? AND grouped = ? ORDER BY name"
        )
        return [Stream(*row) for row in self._rows(sql, region, group)]

    def stream(self, region: str, group: str, name: str) -> Stream | None:
        """Return a stream without its events' times; None if there is none."""
        sql = "SELECT id, name, created FROM streams WHERE region = ? AND grouped = ? AND name = ?"
        rows = self._rows(sql, region, group, name)
        return Stream(*rows[0]) if rows else None

    def add(self, region: str, group: str, name: str, events: Iterable[tuple[int, str]]) -> None:
        """Append events, all or none, each with its time in milliseconds; drop the oldest of many.

        Events of a stream that does not exist, and of a closed store, are dropped.
        """
        stream = None if self._is_closed else self.stream(region, group, name)
        if stream is None:
            return
        rows = [(stream.id, time, self.now(), message) for time, message in events]
        sql = "INSERT INTO events (stream, time, ingested, message) VALUES (?, ?, ?, ?)"
        with self._lock:
            if not self._is_closed:
                with transaction(self._db):
                    self._db.executemany(sql, rows)
        added = self._since_trim.get(stream.id, 0) + len(rows)
        if added >= _BETWEEN_TRIMS:
            self._trim(stream.id)
            added = 0
        self._since_trim[stream.id] = added

    def _trim(self, stream: int) -> None:
        self._change(
            "DELETE FROM events WHERE stream = ? AND id <= (SELECT id FROM events"
            " WHERE stream = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
            stream,
            stream,
            MOST_EVENTS,
        )

    def events(
        self, streams: Sequence[int], span: Span, limit: int, *, newest: bool = False
    ) -> list[Event]:
        """Return up to `limit` events in the order of their times, the oldest or the newest."""
        rows = self._rows(
            _NEWEST if newest else _OLDEST,
            json.dumps(list(streams)),
            span.since,
            span.until,
            *span.after,
            *span.before,
            limit,
        )
        events = [Event(*row) for row in rows]
        return events[::-1] if newest else events

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return [] if self._is_closed else self._db.execute(sql, values).fetchall()

    def _delete(self, *statements: str, values: Sequence[object]) -> bool:
        """Execute all or none; return whether the last statement deleted something."""
        with self._lock:
            if self._is_closed:
                return False
            with transaction(self._db):
                return [self._db.execute(sql, values).rowcount for sql in statements][-1] > 0

    def _change(self, sql: str, *values: object) -> int:
        with self._lock:
            return 0 if self._is_closed else self._db.execute(sql, values).rowcount
