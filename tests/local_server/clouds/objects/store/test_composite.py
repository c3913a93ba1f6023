"""What is joined costs no bytes until it is read, is then one file, and is whole at any moment."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading

import pytest
from cloudserve.local_server.clouds.objects.store.blobs import BlobDirectory
from cloudserve.local_server.clouds.objects.store.errors import NoSuchKeyError
from cloudserve.local_server.clouds.objects.store.object_table import GRACE_SECONDS
from cloudserve.local_server.clouds.objects.store.store import ObjectStore
from cloudserve.local_server.clouds.objects.store.types import ObjectProperties


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def store(tmp_path, clock):
    with ObjectStore(tmp_path / "store", clock=lambda: clock[0]) as opened:
        opened.create_bucket("bkt")
        yield opened


def write(store, content):
    writer = store.writer()
    writer.write(content)
    return writer.finish()


def complete(store, key, *contents):
    """Make an object of parts, one of each content."""
    upload = store.uploads.create("bkt", key, ObjectProperties())
    for number, content in enumerate(contents, 1):
        store.uploads.put_part(upload, number, write(store, content))
    blob = store.uploads.join(upload, store.uploads.parts(upload))
    return store.uploads.complete(upload, blob, ObjectProperties(components=len(contents)))


def contents_of(store):
    """Return what the files of a store hold."""
    return sorted(path.read_bytes() for path in (store.root / "blobs").glob("*/*"))


def collect(store, clock):
    """Let the grace period pass, and collect garbage by deleting an object."""
    clock[0] += GRACE_SECONDS
    store.put("bkt", "passing", write(store, b""))
    store.delete("bkt", "passing")


def test_parts_stay_the_files_they_are_until_the_object_is_read(store, clock):
    info = complete(store, "k", b"one ", b"two")
    assert contents_of(store) == [b"one ", b"two"]
    assert store.path(info).read_bytes() == b"one two"
    collect(store, clock)
    assert [each for each in contents_of(store) if each] == [b"one two"]
    assert store.path(info).read_bytes() == b"one two"


def test_parts_that_two_objects_share_are_stored_once_and_stay_for_the_other(store, clock):
    first = complete(store, "first", b"same", b"1")
    complete(store, "second", b"same", b"2")
    assert contents_of(store) == [b"1", b"2", b"same"]
    store.path(first)
    store.delete("bkt", "first")
    for _ in range(2):
        collect(store, clock)
    assert [each for each in contents_of(store) if each] == [b"2", b"same"]
    assert store.path(store.get("bkt", "second")).read_bytes() == b"same2"


def test_pieces_of_an_unread_deleted_object_are_removed_after_their_grace(store, clock):
    complete(store, "k", b"one", b"two")
    store.delete("bkt", "k")
    assert contents_of(store) == [b"one", b"two"]
    for _ in range(3):
        collect(store, clock)
    assert [each for each in contents_of(store) if each] == []


def test_a_reader_keeps_an_object_that_is_deleted(store, clock):
    info = complete(store, "k", b"one", b"two")
    store.delete("bkt", "k")
    assert store.path(info).read_bytes() == b"onetwo"
    for _ in range(3):
        collect(store, clock)
    assert [each for each in contents_of(store) if each] == []


def test_a_composition_of_composites_has_all_of_their_bytes(store):
    complete(store, "a", b"1", b"2")
    complete(store, "b", b"3", b"4")
    sources = (store.get("bkt", "a"), store.get("bkt", "b"), store.get("bkt", "a"))
    unread = store.copies.compose(sources, ("bkt", "unread"), ObjectProperties())
    assert contents_of(store) == [b"1", b"2", b"3", b"4"]
    store.path(sources[0])
    again = store.copies.compose(sources, ("bkt", "again"), ObjectProperties())
    assert again.address == unread.address
    assert store.path(unread).read_bytes() == b"123412"
    assert unread.properties.components == 6


def test_a_copy_in_one_piece_has_the_md5_of_bytes_that_were_never_joined(store):
    info = complete(store, "k", b"one", b"two")
    copied = store.copies.copy(info, ("bkt", "copy"), ObjectProperties())
    assert copied.etag == hashlib.md5(b"onetwo").hexdigest()
    assert contents_of(store) == [b"one", b"two"]


def test_a_source_whose_bytes_have_gone_is_missing(store, clock):
    gone = store.put("bkt", "gone", write(store, b"gone"))
    kept = store.put("bkt", "kept", write(store, b"kept"))
    store.delete("bkt", "gone")
    collect(store, clock)
    with pytest.raises(NoSuchKeyError):
        store.copies.compose((kept, gone), ("bkt", "k"), ObjectProperties())
    assert store.find("bkt", "k") is None


def test_a_source_that_is_deleted_while_it_is_composed_is_kept_for_the_whole(store, clock):
    one, two = (store.put("bkt", key, write(store, key.encode())) for key in ("one", "two"))
    store.delete("bkt", "one")
    store.copies.compose((one, two), ("bkt", "k"), ObjectProperties())
    for _ in range(2):
        collect(store, clock)
    assert store.path(store.get("bkt", "k")).read_bytes() == b"onetwo"


def test_concurrent_readers_get_the_same_file(store, monkeypatch):
    begun, concatenate = threading.Semaphore(0), BlobDirectory.concatenate
    made = []

    def concatenate_late(*arguments):
        for _ in range(8):  # the others are on their way here, too
            assert begun.acquire(timeout=20)
        made.append(arguments)
        begun.release(8)
        return concatenate(*arguments)

    monkeypatch.setattr(BlobDirectory, "concatenate", concatenate_late)

    parts = [bytes([number]) * 100_000 for number in range(20)]
    info = complete(store, "k", *parts)
    read: list[bytes] = []

    def look():
        begun.release()
        read.append(store.path(info).read_bytes())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [b"".join(parts)] * 8
    assert len(made) == 1
    assert list((store.root / "staging").iterdir()) == []


JOINER = """
import os, sys
from pathlib import Path
from cloudserve.local_server.clouds.objects.store.types import ObjectProperties
from cloudserve.local_server.clouds.objects.store.store import ObjectStore

store = ObjectStore(Path(sys.argv[1]))
for number in range(1_000_000):
    key = f"k{number % 5}"
    upload = store.uploads.create("bkt", key, ObjectProperties())
    for part in (1, 2, 3):
        writer = store.writer()
        writer.write(os.urandom(1000) * 300)
        store.uploads.put_part(upload, part, writer.finish())
    blob = store.uploads.join(upload, store.uploads.parts(upload))
    info = store.uploads.complete(upload, blob, ObjectProperties(components=3))
    os.write(1, b"x")
    if number % 2:
        store.path(info)
    os.write(1, b"x")
"""


@pytest.mark.parametrize("acknowledged", [1, 2, 5, 12])
def test_a_store_killed_while_it_joins_has_every_object_whole(tmp_path, acknowledged):
    with ObjectStore(tmp_path) as store:
        store.create_bucket("bkt")
    command = [sys.executable, "-c", JOINER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        # Odd: within what follows a completion; even: within parts.
        assert len(process.stdout.read(acknowledged)) == acknowledged
        process.kill()
    with ObjectStore(tmp_path) as store:
        objects = list(store.walk("bkt"))
        assert len(objects) >= min((acknowledged + 1) // 2, 5)
        for info in objects:
            content = store.path(info).read_bytes()
            assert len(content) == info.size == 900_000
            assert write(store, content).digests["crc32c"] == info.crc32c
    with ObjectStore(tmp_path) as store:
        needed = {info.address.hex() for info in objects}
        parts = {
            part.sha256.hex()
            for upload in store.uploads.list("bkt")
            for part in store.uploads.parts(upload)
        }
        assert {path.name for path in (tmp_path / "blobs").glob("*/*")} == needed | parts
        assert list((tmp_path / "staging").iterdir()) == []
