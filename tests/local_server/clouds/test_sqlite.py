"""Both kinds of database refuse a file that is not theirs, and leave it as it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.objects.store.store import ObjectStore
from cloudserve.local_server.clouds.resources import Resources

from cloudserve.errors import UserError


def open_store(path: Path) -> ObjectStore:
    return ObjectStore(path.parent)


KINDS = pytest.mark.parametrize(
    ("open_at", "name"), [(Resources, "clouds.db"), (open_store, "objects.db")]
)


@KINDS
def test_a_file_that_is_not_a_database_is_refused(open_at, name, tmp_path: Path):
    path = tmp_path / name
    content = b"something else entirely, and long enough to be taken for a header"
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read") as caught:
        open_at(path)
    assert caught.value.where == str(path)
    assert path.read_bytes() == content


@KINDS
def test_a_database_of_a_later_format_is_refused(open_at, name, tmp_path: Path):
    path = tmp_path / name
    later = sqlite3.connect(path)
    later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(UserError, match=r"has format 99; this cloudserve uses \d$"):
        open_at(path)
    again = sqlite3.connect(path)
    assert again.execute("PRAGMA user_version").fetchone() == (99,)
    assert again.execute("SELECT name FROM sqlite_master").fetchall() == []
    again.close()
