"""The ledger: append-only, in order, and nothing lost between writers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import pytest

from cloudserve.errors import RemoteError
from cloudserve.release.layout import Layout
from cloudserve.release.ledger import Entry, Event, Ledger, actor
from cloudserve.release.nouns import Operation

LAYOUT = Layout("mem://bucket", "m", "t")


def entry(number=0):
    return Entry(
        release=f"r{number}",
        event=Event.STARTED,
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


def test_what_is_no_entry_is_passed_over(platform):
    for name in ("", "notes.txt", "0000000001.json.bak", "1.json", "00000000001.json", "a/1.json"):
        platform.blobs.write(f"{LAYOUT.ledger}{name}", b"of somebody else")
    Ledger(platform.blobs, LAYOUT).append(entry())
    assert list(Ledger(platform.blobs, LAYOUT).entries())
    assert platform.blobs.read(f"{LAYOUT.ledger}0000000001.json")


def test_the_order_holds_when_the_numbers_grow_longer(platform):
    platform.blobs.write(f"{LAYOUT.ledger}9999999999.json", msgspec.json.encode(entry(1)))
    Ledger(platform.blobs, LAYOUT).append(entry(2))
    Ledger(platform.blobs, LAYOUT).append(entry(3))
    told = [one.release for one in Ledger(platform.blobs, LAYOUT).entries()]
    assert told == ["r1", "r2", "r3"]


def test_a_release_without_an_end_shows_as_unfinished(platform):
    Ledger(platform.blobs, LAYOUT).append(entry())
    assert Ledger(platform.blobs, LAYOUT).releases()[0].outcome is Event.STARTED


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
