"""The ledger: append-only, in order, and nothing lost between writers."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import pytest

from cloudserve.errors import RemoteError
from cloudserve.release.state.entries import Entry, Event
from cloudserve.release.state.layout import Layout
from cloudserve.release.state.ledger import FIRST_PAGE, Ledger, actor
from cloudserve.release.types import Operation

LAYOUT = Layout("mem://bucket", "m", "t")


def entry(number=0, event=Event.STARTED):
    return Entry(
        release=f"r{number}",
        event=event,
        operation=Operation.DEPLOY,
        target="t",
        model="m",
        revision="v1-0",
        digest="0" * 64,
        time=datetime.now(UTC),
        who="ada",
    )


def test_entries_come_back_as_they_were_written_in_order(platform):
    written = [entry(n) for n in range(12)]
    for one in written:
        Ledger(platform.blobs, LAYOUT).append(one)
    assert list(Ledger(platform.blobs, LAYOUT).entries()) == written


def test_writers_at_once_lose_nothing(platform):
    def write(number):
        ledger = Ledger(platform.blobs, LAYOUT)
        for _ in range(5):
            ledger.append(entry(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(list(Ledger(platform.blobs, LAYOUT).entries())) == 20


def test_an_entry_that_cannot_be_read_is_named(platform):
    platform.blobs.write(f"{LAYOUT.ledger}0000000001.json", b'{"release": 1}')
    with pytest.raises(RemoteError, match="a ledger entry cannot be read") as caught:
        list(Ledger(platform.blobs, LAYOUT).entries())
    assert caught.value.where == f"mem://bucket/{LAYOUT.ledger}0000000001.json"


def test_objects_that_are_not_entries_are_ignored(platform):
    for name in ("", "notes.txt", "0000000001.json.bak", "1.json", "00000000001.json", "a/1.json"):
        platform.blobs.write(f"{LAYOUT.ledger}{name}", b"of somebody else")
    Ledger(platform.blobs, LAYOUT).append(entry())
    assert list(Ledger(platform.blobs, LAYOUT).entries())
    assert platform.blobs.read(f"{LAYOUT.ledger}0000000001.json")


def test_the_order_holds_when_the_numbers_grow_longer(platform):
    platform.blobs.write(f"{LAYOUT.ledger}9999999999.json", msgspec.json.encode(entry(1)))
    Ledger(platform.blobs, LAYOUT).append(entry(2))
    Ledger(platform.blobs, LAYOUT).append(entry(3))
    lines = [one.release for one in Ledger(platform.blobs, LAYOUT).entries()]
    assert lines == ["r1", "r2", "r3"]


def test_a_release_without_an_end_shows_as_unfinished(platform):
    Ledger(platform.blobs, LAYOUT).append(entry())
    assert Ledger(platform.blobs, LAYOUT).releases()[0].outcome is Event.STARTED


def write_releases(blobs, count):
    ledger = Ledger(blobs, LAYOUT)
    for number in range(count):
        for event in (Event.STARTED, Event.STEP, Event.FINISHED):
            ledger.append(entry(number, event))
    return ledger


def test_the_last_releases_are_read_without_the_others(platform):
    ledger = write_releases(platform.blobs, 100)
    read, reads = platform.blobs.read, []
    platform.blobs.read = lambda key: reads.append(key) or read(key)
    assert [release.id for release in ledger.releases(2)] == ["r98", "r99"]
    assert len(reads) <= FIRST_PAGE
    assert len(ledger.releases()) == 100
    assert len(set(reads)) == 300


def test_entries_are_requested_several_at_once(platform):
    ledger = write_releases(platform.blobs, 2)
    read, together = platform.blobs.read, threading.Barrier(4)

    def wait_for_others(key):
        if key < f"{LAYOUT.ledger}0000000005.json":
            together.wait(timeout=60)
        return read(key)

    platform.blobs.read = wait_for_others
    assert len(list(ledger.entries())) == 6


def test_releases_are_in_the_order_they_began_whenever_they_ended(platform):
    ledger = Ledger(platform.blobs, LAYOUT)
    for number, event in (
        (1, Event.STARTED),
        (2, Event.STARTED),
        (2, Event.FINISHED),
        (1, Event.STOPPED),  # it was suspended in the meantime
    ):
        ledger.append(entry(number, event))
    lines = [(release.id, release.outcome) for release in ledger.releases()]
    assert lines == [("r1", Event.STOPPED), ("r2", Event.FINISHED)]


def test_a_release_whose_begin_was_deleted_is_reported_by_what_is_left(platform):
    ledger = write_releases(platform.blobs, 2)
    platform.blobs.delete(f"{LAYOUT.ledger}0000000001.json")
    assert [release.id for release in ledger.releases()] == ["r0", "r1"]


@pytest.mark.parametrize(
    ("environ", "who"),
    [
        ({"CLOUDSERVE_ACTOR": "ada", "GITHUB_ACTOR": "bob"}, "ada"),
        ({"GITHUB_ACTOR": "bob"}, "bob"),
        ({"GITLAB_USER_LOGIN": "eve"}, "eve"),
    ],
)
def test_the_actor_is_the_one_named_or_the_cis_user(environ, who):
    assert actor(environ) == who


def test_without_a_name_the_actor_is_the_user_at_this_host():
    assert "@" in actor({})
