"""Pages of keys in UTF-8 order, grouped at a delimiter.

SQLite compares TEXT by its UTF-8 bytes, the order that S3 and GCS promise; it equals Python's
order of strings by code points.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from .object_table import COLUMNS, require_bucket, to_object
from .types import Listing, ObjectInfo

LAST_CODE_POINT = 0x10FFFF
BEFORE_SURROGATES, AFTER_SURROGATES = 0xD7FF, 0xE000


def after(key: str) -> str:
    """Return the least string greater than a key."""
    return key + "\0"


def beyond(prefix: str) -> str | None:
    """Return the least string greater than every string with this prefix; None if there is none."""
    for index in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[index])
        if code < LAST_CODE_POINT:
            following = AFTER_SURROGATES if code == BEFORE_SURROGATES else code + 1
            return prefix[:index] + chr(following)
    return None


def list_objects(  # noqa: PLR0913 the parameters of a listing
    connection: sqlite3.Connection,
    bucket: str,
    prefix: str = "",
    *,
    delimiter: str = "",
    start: str = "",
    limit: int = 1000,
    accept: Callable[[str], bool] = lambda _: True,
) -> Listing:
    """Return a page of at most `limit` objects and prefixes together, starting at `start`.

    Keys that `accept` returns false for are not listed.
    """
    require_bucket(connection, bucket)
    objects: list[ObjectInfo] = []
    prefixes: list[str] = []
    end = beyond(prefix)
    position: str | None = max(prefix, start)
    while position is not None:
        rows, position = _scan(connection, bucket, position, end), None
        for row in rows:
            if not accept(row[1]):
                continue
            if len(objects) + len(prefixes) >= limit:
                return Listing(tuple(objects), tuple(prefixes), next=row[1])
            common = common_prefix(row[1], prefix, delimiter)
            if common:
                prefixes.append(common)
                position = beyond(common)
                break
            objects.append(to_object(row))
    return Listing(tuple(objects), tuple(prefixes))


def usage(connection: sqlite3.Connection, bucket: str, prefix: str) -> tuple[int, int]:
    """Count the objects and bytes under a prefix, without folders (`ObjectInfo.is_folder`).

    Raises NoSuchBucketError.
    """
    require_bucket(connection, bucket)
    bound, values = _between(prefix, beyond(prefix))
    files, size = connection.execute(
        "SELECT count(*), coalesce(sum(size), 0) FROM objects WHERE bucket = ? "  # noqa: S608 constants
        f"AND NOT (size = 0 AND key LIKE '%/') {bound}",
        (bucket, *values),
    ).fetchone()
    return files, size


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """Return a key up to the first delimiter after the prefix; None if there is none."""
    cut = key.find(delimiter, len(prefix)) if delimiter else -1
    return key[: cut + len(delimiter)] if cut >= 0 else None


def _scan(
    connection: sqlite3.Connection, bucket: str, start: str, end: str | None
) -> Iterator[tuple[Any, ...]]:
    bound, values = _between(start, end)
    rows: Iterator[tuple[Any, ...]] = connection.execute(
        f"SELECT {COLUMNS} FROM objects WHERE bucket = ? {bound} ORDER BY key",  # noqa: S608 constants
        (bucket, *values),
    )
    return rows


def _between(start: str, end: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the SQL condition on keys in [start, end) and its values; None means no end."""
    return ("AND key >= ?", (start,)) if end is None else ("AND key >= ? AND key < ?", (start, end))
