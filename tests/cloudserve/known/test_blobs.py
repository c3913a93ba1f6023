"""The reads of a bucket by a tape."""

from dataclasses import dataclass, field

import pytest

from cloudserve.errors import UserError
from cloudserve.known.blobs import RecordedBlobs
from cloudserve.known.tape import LIVE, Recorder, Recording, Tape
from cloudserve.storage.contract import Blob


@dataclass
class Store(RecordedBlobs):
    """A bucket in memory that counts its calls."""

    objects: dict[str, bytes] = field(default_factory=lambda: {"a/1": b"one", "a/2": b"two"})
    tape: Tape = LIVE
    calls: list[str] = field(default_factory=list)
    url = "mem://bucket"

    def _exists(self):
        self.calls.append("exists")
        return True

    def _head(self, key):
        self.calls.append(f"head {key}")
        data = self.objects.get(key)
        return None if data is None else Blob(key, len(data), data.decode(), {"k": "v"})

    def _read(self, key):
        self.calls.append(f"read {key}")
        data = self.objects.get(key)
        return None if data is None else (data, data.decode())

    def _list(self, prefix):
        self.calls.append(f"list {prefix}")
        for key, data in sorted(self.objects.items()):
            if key.startswith(prefix):
                yield Blob(key, len(data), data.decode())


def answers(store):
    keys = ("a/1", "a/3")
    return (
        store.exists(),
        [store.read(key) for key in keys],
        [store.head(key) for key in keys],
        list(store.list("a/")),
        list(store.list("a/2")),
    )


@pytest.fixture
def store():
    made = Store(tape=Recorder())
    list(made.list("a/"))
    return made


def test_a_recording_answers_as_the_bucket_did(store):
    live = answers(Store())
    assert answers(store) == live
    offline = Store(tape=Recording(store.tape.since, store.tape.answers))
    assert answers(offline) == live
    assert offline.calls == []


def test_a_list_answers_for_longer_prefixes_and_missing_keys(store):
    assert list(store.list("a/2")) == [Blob("a/2", 3, "two")]
    assert (store.read("a/9"), store.head("a/9")) == (None, None)
    assert store.calls == ["list a/"]
    offline = Store(tape=Recording(store.tape.since, store.tape.answers))
    for ask in (lambda: offline.read("b"), lambda: list(offline.list("")), offline.exists):
        with pytest.raises(UserError, match="it was not read then"):
            ask()


def test_an_unchanged_object_comes_from_an_earlier_tape(store):
    store.tape.earlier = {
        "read mem://bucket/a/1": [b"one", "one"],
        "read mem://bucket/a/2": [b"old", "old"],
    }
    assert store.read("a/1") == (b"one", "one")
    assert store.read("a/2") == (b"two", "two")
    assert store.calls == ["list a/", "read a/2"]


def test_a_large_object_is_not_read_only_to_be_kept(store):
    store.tape.largest = 2
    with pytest.raises(UserError, match="was not read"):
        store.read("a/1")
    assert store.calls == ["list a/"]
