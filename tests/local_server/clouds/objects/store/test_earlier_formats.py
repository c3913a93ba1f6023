"""A folder that an earlier cloudserve wrote opens, with its buckets and objects."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.objects.store.database import UPGRADES, VERSION
from cloudserve.local_server.clouds.objects.store.store import ObjectStore
from cloudserve.local_server.clouds.objects.store.types import ENABLED
from cloudserve.local_server.clouds.sqlite import open_database

from cloudserve.errors import UserError

FORMAT_4 = Path(__file__).with_name("format_4.sql")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "objects.db")) as database:
        database.executescript(FORMAT_4.read_text())
    return tmp_path


def test_buckets_and_objects_are_as_they_were(folder: Path):
    for _ in range(2):
        with ObjectStore(folder) as store:
            bucket, info = store.get_bucket("models"), store.get("models", "half")
        assert (bucket.region, bucket.settings) == ("EU", {"labels": {"a": "b"}})
        assert (bucket.versioning, bucket.soft_delete, bucket.retention) == ("", 0, 0)
        assert (info.generation, info.properties.metadata) == (7, {"a": "b"})


def test_old_objects_become_versions(folder: Path):
    with ObjectStore(folder) as store:
        store.update_bucket("models", lambda bucket: replace(bucket, versioning=ENABLED))
        writer = store.writer()
        writer.write(b"new")
        new = store.put("models", "half", writer.finish())
        versions = [each.generation for each in store.versions.all("models", "half")]
    assert versions == [new.generation, 7]


def test_an_upgrade_that_fails_changes_nothing(folder: Path):
    path = folder / "objects.db"
    broken = UPGRADES | {4: (*UPGRADES[4], "CREATE TABLE objects (a)")}
    with pytest.raises(UserError, match="cannot be read"):
        open_database(path, VERSION, [], synchronous="FULL", threads=False, upgrades=broken)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (4,)
        tables = database.execute("SELECT name FROM sqlite_master").fetchall()
    assert ("versions",) not in tables


def test_a_format_without_an_upgrade_is_refused(folder: Path):
    with closing(sqlite3.connect(folder / "objects.db")) as database:
        database.execute("PRAGMA user_version = 3")
    with pytest.raises(UserError, match="has format 3"):
        ObjectStore(folder)
