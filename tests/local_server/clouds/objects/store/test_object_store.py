"""The store by itself: conditions, generations, listings, and that content is stored once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cloudserve.local_server.clouds.objects.store.errors import (
    BucketExistsError,
    BucketNotEmptyError,
    HeldError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchUploadError,
    PreconditionFailedError,
)
from cloudserve.local_server.clouds.objects.store.listing import beyond
from cloudserve.local_server.clouds.objects.store.object_table import GRACE_SECONDS
from cloudserve.local_server.clouds.objects.store.store import ObjectStore
from cloudserve.local_server.clouds.objects.store.types import (
    ENABLED,
    ObjectProperties,
    Precondition,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def blobs_in(store: ObjectStore) -> list[Path]:
    return list((store.root / "blobs").glob("*/*"))


def test_an_object_has_its_bytes_and_digests(store, put):
    info = put("a/b", b"hello")
    assert store.path(info).read_bytes() == b"hello"
    assert info.address == hashlib.sha256(b"hello").digest()
    assert (info.etag, info.crc32c_base64) == ("5d41402abc4b2a76b9719d911017c592", "mnG7TA==")
    assert store.get("bkt", "a/b") == info


def test_identical_content_is_stored_once(store, put):
    put("one", b"same")
    put("two", b"same")
    assert len(blobs_in(store)) == 1


def test_generations_grow_even_when_the_clock_goes_back(tmp_path):
    times = iter([2000.0, 2000.0, 1000.0])
    with ObjectStore(tmp_path, clock=lambda: next(times, 1000.0)) as store:
        store.create_bucket("bkt")
        generations = []
        for content in (b"1", b"2", b"3"):
            writer = store.writer()
            writer.write(content)
            generations.append(store.put("bkt", "k", writer.finish()).generation)
    assert generations == sorted(set(generations))


def test_a_create_only_put_keeps_an_existing_object(store, put):
    first = put("k", b"first")
    writer = store.writer()
    writer.write(b"second")
    with pytest.raises(PreconditionFailedError):
        store.put("bkt", "k", writer.finish(), precondition=Precondition(generation=0))
    assert store.get("bkt", "k") == first
    assert list((store.root / "staging").iterdir()) == []


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Precondition(match="*"), True),
        (Precondition(match='"5d41402abc4b2a76b9719d911017c592"'), True),
        (Precondition(match='"0", "5d41402abc4b2a76b9719d911017c592"'), True),
        (Precondition(match='"0"'), False),
        (Precondition(none_match="*"), False),
        (Precondition(none_match='"0"'), True),
        (Precondition(metageneration=1), True),
        (Precondition(metageneration=2), False),
        (Precondition(metageneration_not=1), False),
        (Precondition(generation_not=0), True),
        (Precondition(generation=0), False),
    ],
)
def test_a_delete_happens_only_when_its_condition_holds(store, put, condition, holds):
    put("k", b"hello")
    if holds:
        store.delete("bkt", "k", condition)
    else:
        with pytest.raises(PreconditionFailedError):
            store.delete("bkt", "k", condition)
    assert (store.find("bkt", "k") is None) is holds


def test_an_if_match_on_a_missing_object_says_that_it_is_missing(store):
    writer = store.writer()
    with pytest.raises(NoSuchKeyError):
        store.put("bkt", "k", writer.finish(), precondition=Precondition(match="*"))


def test_updates_count_the_metageneration_and_keep_the_generation(store, put):
    before = put("k", b"hello")
    after = store.update("bkt", "k", lambda _: ObjectProperties(metadata={"a": "b"}))
    assert (after.generation, after.metageneration) == (before.generation, 2)
    assert store.get("bkt", "k").properties.metadata == {"a": "b"}


def test_a_copy_of_a_replaced_object_is_refused(store, put):
    observed = put("k", b"old")
    put("k", b"new")
    with pytest.raises(NoSuchKeyError):
        store.copies.copy(observed, ("bkt", "copy"))


def test_buckets_are_made_once_and_deleted_empty(store, put):
    with pytest.raises(BucketExistsError):
        store.create_bucket("bkt")
    put("k", b"")
    with pytest.raises(BucketNotEmptyError):
        store.delete_bucket("bkt")
    store.delete("bkt", "k")
    store.delete_bucket("bkt")
    with pytest.raises(NoSuchBucketError):
        store.get("bkt", "k")


def test_content_outlives_its_last_object_by_the_grace_and_no_longer(tmp_path):
    now = [1000.0]
    with ObjectStore(tmp_path, clock=lambda: now[0]) as store:
        store.create_bucket("bkt")
        for key, content in (("k", b"gone"), ("other", b"stays")):
            writer = store.writer()
            writer.write(content)
            store.put("bkt", key, writer.finish())
        path = store.path(store.get("bkt", "k"))
        store.delete("bkt", "k")
        assert path.read_bytes() == b"gone"
        now[0] += GRACE_SECONDS
        store.delete("bkt", "other")
        assert not path.exists()


def test_content_that_comes_back_within_the_grace_is_kept(tmp_path):
    now = [1000.0]
    with ObjectStore(tmp_path, clock=lambda: now[0]) as store:
        store.create_bucket("bkt")

        def write(key: str, content: bytes) -> None:
            writer = store.writer()
            writer.write(content)
            store.put("bkt", key, writer.finish())

        write("k", b"same")
        store.delete("bkt", "k")
        write("again", b"same")
        now[0] += 2 * GRACE_SECONDS
        write("x", b"x")
        store.delete("bkt", "x")
        assert store.path(store.get("bkt", "again")).read_bytes() == b"same"


def test_of_many_threads_that_create_one_object_exactly_one_wins(store):
    start = threading.Barrier(8)
    results: list[str] = []

    def create(content: bytes) -> None:
        writer = store.writer()
        writer.write(content)
        blob = writer.finish()
        start.wait()
        try:
            store.put("bkt", "lock", blob, precondition=Precondition(generation=0))
        except PreconditionFailedError:
            results.append("refused")
        else:
            results.append("won")

    threads = [threading.Thread(target=create, args=(b"%d" % n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused"] * 7 + ["won"]


CREATE_ONLY = """
import sys
from pathlib import Path
from cloudserve.local_server.clouds.objects.store.errors import PreconditionFailedError
from cloudserve.local_server.clouds.objects.store.types import Precondition
from cloudserve.local_server.clouds.objects.store.store import ObjectStore

with ObjectStore(Path(sys.argv[1])) as store:
    sys.stdin.readline()
    absent, won = Precondition(generation=0), 0
    for number in range(20):
        writer = store.writer()
        writer.write(sys.argv[2].encode())
        try:
            store.put("bkt", f"lock-{number}", writer.finish(), precondition=absent)
            won += 1
        except PreconditionFailedError:
            pass
    print(won)
"""


def test_of_two_processes_that_create_the_same_objects_each_object_has_one_winner(store):
    command = [sys.executable, "-c", CREATE_ONLY, str(store.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen([*command, "first"], **pipes) as first,
        subprocess.Popen([*command, "second"], **pipes) as second,
    ):
        for process in (first, second):
            process.stdin.write("go\n")
            process.stdin.flush()
        won = [int(process.stdout.read()) for process in (first, second)]
    assert sum(won) == 20
    assert store.usage("bkt") == (20, won[0] * len("first") + won[1] * len("second"))


KEYS = st.lists(
    st.text(alphabet="ab/\u00e9\U0010ffff", min_size=1, max_size=6), unique=True, max_size=12
)


def model_listing(keys, prefix, delimiter):
    """List as the protocols define it: keys in UTF-8 order, rolled up at the delimiter."""
    entries: list[tuple[str, str]] = []
    for key in sorted((key for key in keys if key.startswith(prefix)), key=str.encode):
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = ("object", key) if cut < 0 else ("prefix", key[: cut + len(delimiter)])
        if not entries or entries[-1] != entry:
            entries.append(entry)
    return entries


@settings(max_examples=40, deadline=None)
@given(
    keys=KEYS,
    prefix=st.text(alphabet="ab/\U0010ffff", max_size=2),
    delimiter=st.sampled_from(["", "/", "a", "b/"]),
    limit=st.integers(1, 5),
)
def test_pages_of_a_listing_are_together_what_the_protocols_define(keys, prefix, delimiter, limit):
    with tempfile.TemporaryDirectory() as root, ObjectStore(Path(root)) as store:
        store.create_bucket("bkt")
        for key in keys:
            store.put("bkt", key, store.writer().finish())
        observed: list[tuple[str, str]] = []
        start: str | None = ""
        while start is not None:
            page = store.list("bkt", prefix, delimiter=delimiter, start=start, limit=limit)
            entries = [("object", each.key) for each in page.objects]
            entries += [("prefix", each) for each in page.prefixes]
            assert len(entries) <= limit
            observed += sorted(entries, key=lambda entry: entry[1].encode())
            start = page.next
    assert observed == model_listing(keys, prefix, delimiter)


@given(prefix=st.text(max_size=4), key=st.text(max_size=6))
def test_the_string_beyond_a_prefix_parts_what_begins_with_it_from_what_comes_after(prefix, key):
    end = beyond(prefix)
    if key.startswith(prefix):
        assert end is None or key < end
    elif key > prefix:
        assert end is not None
        assert key >= end


def test_usage_counts_the_objects_under_a_prefix(store, put):
    for key, content in (("m/1/a", b"12"), ("m/1/b", b"345"), ("m/10/a", b"6789")):
        put(key, content)
    assert store.usage("bkt", "m/1/") == (2, 5)
    assert store.usage("bkt") == (3, 9)
    assert store.usage("bkt", "none") == (0, 0)


def test_an_upload_that_another_request_ended_has_no_parts_but_is_gone(store, put):
    put("a", b"for the bucket")
    upload = store.uploads.create("bkt", "key", ObjectProperties())
    assert store.uploads.parts(upload) == ()
    store.uploads.abort(upload.id, "bkt", "key")
    with pytest.raises(NoSuchUploadError):
        store.uploads.parts(upload)


def test_a_move_does_not_delete_what_replaced_its_source(store, put):
    store.update_bucket("bkt", lambda bucket: replace(bucket, versioning=ENABLED))
    source = put("a", b"old")
    new = put("a", b"new")
    with pytest.raises(NoSuchKeyError):
        store.copies.copy(source, ("bkt", "b"), moved=True)
    assert store.get("bkt", "a") == new
    assert store.find("bkt", "b") is None


def test_a_restored_object_does_not_replace_a_held_one(store, put):
    store.update_bucket("bkt", lambda bucket: replace(bucket, soft_delete=3600.0))
    deleted = put("k", b"deleted")
    store.delete("bkt", "k")
    put("k", b"held")
    held = store.update("bkt", "k", lambda each: replace(each, holds=("temporaryHold",)))
    with pytest.raises(HeldError):
        store.versions.restore("bkt", "k", deleted.generation)
    assert store.get("bkt", "k") == held
