"""Releases as the ledgers in the buckets tell them."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from cloudserve.local_server.clouds.console.storage_view import Buckets, Ledgers
from cloudserve.local_server.clouds.objects.store.store import ObjectStore

from cloudserve.release.canary.evidence import Counts
from cloudserve.release.canary.record import CanaryRecord, Decision, Measured
from cloudserve.release.state.entries import Entry, Event
from cloudserve.release.types import Operation

LEDGER = "cloudserve/digits/targets/aws/ledger/"


@pytest.fixture
def store(tmp_path):
    with ObjectStore(tmp_path / "store") as opened:
        opened.create_bucket("b")
        yield opened


def write(store, key, data):
    writer = store.writer()
    writer.write(data)
    store.put("b", key, writer.finish())


def entry(event, release="1", **fields):
    return Entry(
        release=release,
        event=event,
        operation=Operation.DEPLOY,
        target="aws",
        model="digits",
        revision="v1-000000000000",
        digest="sha256:0",
        time=datetime(2026, 11, 30, 12, 0, int(release), tzinfo=UTC),
        who="ann@laptop",
        **fields,
    )


def read(store, ledgers):
    return ledgers.releases(Buckets({"s3": store}).rows())


def test_the_entries_of_a_release_are_one_row_and_the_newest_is_first(store):
    entries = [
        entry(Event.STARTED),
        entry(Event.STEP, sentence="create the endpoint digits"),
        entry(Event.FINISHED),
        entry(Event.STARTED, "2"),
        entry(Event.STOPPED, "2", error="no capacity"),
    ]
    ledgers = Ledgers({"s3": store})
    for number, each in enumerate(entries, 1):
        write(store, f"{LEDGER}{number:010}.json", msgspec.json.encode(each))
    newest, oldest = read(store, ledgers)
    assert (newest.outcome, newest.error) == ("stopped", "no capacity")
    assert (oldest.outcome, oldest.steps) == ("finished", ("create the endpoint digits",))
    assert (oldest.bucket, oldest.who) == ("s3://b", "ann@laptop")


def test_of_two_releases_in_a_second_the_later_is_first(store):
    second = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    for micros, target in ((100_000, "b"), (200_000, "c"), (0, "a")):
        time = second.replace(microsecond=micros)
        started = msgspec.structs.replace(
            entry(Event.STARTED), release=target, target=target, time=time
        )
        write(store, f"{LEDGER}{micros:010}.json", msgspec.json.encode(started))
    rows = read(store, Ledgers({"s3": store}))
    assert [row.target for row in rows] == ["c", "b", "a"]


def test_a_canary_has_its_last_evidence(store):
    time = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    counts = {"live": Counts(200, 1), "canary": Counts(100, 9)}
    measured = Measured("errors", "probes", **counts, margin=0.01, e_worse=2300.0, e_passed=0.2)
    begun = CanaryRecord("r", "v1-000000000000", Decision.WATCHING, time, time)
    ended = replace(begun, decision=Decision.WORSE, measures=(measured,))
    entries = [
        entry(Event.STARTED, percent=5),
        entry(Event.EVIDENCE, percent=5, canary=begun),
        entry(Event.EVIDENCE, percent=5, canary=ended),
    ]
    for number, each in enumerate(entries, 1):
        write(store, f"{LEDGER}{number:010}.json", msgspec.json.encode(each))
    (row,) = read(store, Ledgers({"s3": store}))
    assert row.canary == "canary worse: errors 9.0% (probes)"
    assert row.measures == (measured,)


def test_other_objects_and_broken_entries_are_ignored(store):
    ledgers = Ledgers({"s3": store})
    write(store, f"{LEDGER}0000000001.json", b"{")
    write(store, f"{LEDGER}notes.txt", b"hello")
    write(store, "cloudserve/digits/manifests/v1.json", b"{}")
    assert read(store, ledgers) == ()


def test_a_bucket_is_read_again_when_it_has_changed(store):
    ledgers = Ledgers({"s3": store})
    write(store, f"{LEDGER}0000000001.json", msgspec.json.encode(entry(Event.STARTED)))
    assert [row.outcome for row in read(store, ledgers)] == ["started"]
    write(store, f"{LEDGER}0000000002.json", msgspec.json.encode(entry(Event.FINISHED)))
    assert [row.outcome for row in read(store, ledgers)] == ["finished"]


def test_a_store_is_counted_again_only_when_it_has_changed(store, monkeypatch):
    counted = []
    usage = ObjectStore.usage
    monkeypatch.setattr(
        ObjectStore, "usage", lambda self, name: counted.append(name) or usage(self, name)
    )
    buckets = Buckets({"s3": store})
    assert [row.objects for row in buckets.rows()] == [0]
    write(store, "one", b"12")
    assert [(row.objects, row.bytes) for row in buckets.rows()] == [(1, 2)]
    assert [row.objects for row in buckets.rows()] == [1]
    assert counted == ["b", "b"]
    store.create_bucket("c")
    assert [row.name for row in buckets.rows()] == ["b", "c"]
    store.delete("b", "one")
    store.delete_bucket("b")
    assert [row.name for row in buckets.rows()] == ["c"]
