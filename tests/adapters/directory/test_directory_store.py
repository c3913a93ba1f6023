"""A directory as a bucket: any key, whole objects, one winner."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path, PurePosixPath

import pytest
from cloudserve.adapters.directory.files import LONGEST, OWN, key_of, path_of
from cloudserve.adapters.directory.storage import DirectoryBlobs
from hypothesis import example, given
from hypothesis import strategies as st

from cloudserve.errors import ConflictError, RemoteError
from cloudserve.storage.contract import Expect

ROOT = Path("/bucket")
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
ODD_KEYS = st.lists(st.sampled_from(["", ".", "..", "%", "%2E", "a", OWN])).map("/".join)


def fits(key: str) -> bool:
    return all(3 * len(part.encode()) <= LONGEST for part in key.split("/"))


@given(KEYS.filter(fits) | ODD_KEYS)
@example("a//b")
@example("../../etc/passwd")
@example(f"{OWN}/lock")
@example("/absolute")
@example("folder/")
@example("%2E%2E")
def test_every_key_is_a_path_of_its_own_below_the_directory(key):
    path = path_of(ROOT, key)
    relative = PurePosixPath(path).relative_to(ROOT)
    assert relative.parts
    assert not {".", ".."} & set(relative.parts)
    assert relative.parts[0] != OWN
    assert key_of(ROOT, path) == key


@pytest.mark.parametrize("key", ["nul\0", "x" * (LONGEST + 1), "folder/" + "ü" * LONGEST])
def test_a_key_that_no_file_can_have_is_refused(tmp_path, key):
    store = DirectoryBlobs(tmp_path)
    for call in (lambda: store.write(key, b""), lambda: store.head(key), lambda: store.read(key)):
        with pytest.raises(RemoteError, match="cannot be the name of a file"):
            call()


def test_a_directory_is_not_an_object_and_cannot_become_one(tmp_path):
    store = DirectoryBlobs(tmp_path)
    store.write("a/b", b"x")
    assert store.head("a") is None
    assert store.read("a") is None
    with pytest.raises(RemoteError):
        store.write("a", b"y")
    with pytest.raises(RemoteError):
        store.write("a/b/c", b"z")
    assert [blob.key for blob in store.list("")] == ["a/b"]


def test_metadata_is_of_the_object_that_it_was_written_with(tmp_path):
    store = DirectoryBlobs(tmp_path)
    file = tmp_path / "file"
    file.write_bytes(b"content")
    store.upload("key", file, {"about": "it"})
    assert store.head("key").metadata == {"about": "it"}
    shutil.copy(file, tmp_path / "key")  # another program's, under the same name
    assert store.head("key").metadata == {}


def test_deleting_the_last_object_leaves_no_folder(tmp_path):
    store = DirectoryBlobs(tmp_path)
    store.write("a/b/one", b"")
    store.write("a/two", b"")
    store.delete("a/b/one")
    assert not (tmp_path / "a" / "b").exists()
    store.delete("a/two")
    assert not (tmp_path / "a").exists()


def test_a_full_disk_is_reported_with_a_hint_and_leaves_nothing(tmp_path):
    store = DirectoryBlobs(tmp_path)
    store.write("key", b"before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RemoteError, match=r"write .*/key") as error:
            store.write("key", bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.hint.startswith("make room there")
    assert store.read("key")[0] == b"before"
    assert list((tmp_path / OWN / "staging").iterdir()) == []


def test_of_threads_that_create_one_object_at_once_exactly_one_wins(tmp_path):
    stores = [DirectoryBlobs(tmp_path) for _ in range(4)]
    met = threading.Barrier(len(stores))
    won = []

    def create(store):
        for number in range(50):
            met.wait(20)
            try:
                store.write(f"key{number}", b"", Expect.ABSENT)
            except ConflictError:
                continue
            won.append(number)

    threads = [threading.Thread(target=create, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(50))


CREATORS = """
import sys
from pathlib import Path
from cloudserve.adapters.directory.storage import DirectoryBlobs
from cloudserve.errors import ConflictError
from cloudserve.storage.contract import Expect

store, won = DirectoryBlobs(Path(sys.argv[1])), 0
for number in range(200):
    try:
        store.write(f"key{number}", sys.argv[2].encode(), Expect.ABSENT)
        won += 1
    except ConflictError:
        pass
print(won)
"""


def test_of_processes_that_create_the_same_objects_each_object_has_one_winner(tmp_path):
    commands = [[sys.executable, "-c", CREATORS, str(tmp_path), name] for name in "ab"]
    processes = [subprocess.Popen(each, stdout=subprocess.PIPE) for each in commands]
    won = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(won) == 200
    store = DirectoryBlobs(tmp_path)
    contents = [store.read(blob.key)[0] for blob in store.list("")]
    assert [contents.count(b"a"), contents.count(b"b")] == won


WRITER = """
import os, sys
from pathlib import Path
from cloudserve.adapters.directory.storage import DirectoryBlobs

store = DirectoryBlobs(Path(sys.argv[1]))
for number in range(1_000_000):
    store.write(f"key{number % 3}", bytes([number % 256]) * 2_000_000)
    os.write(1, b"x")
"""


@pytest.mark.parametrize("written", [1, 4, 9])
def test_a_writer_that_is_killed_leaves_only_whole_objects(tmp_path, written):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert len(process.stdout.read(written)) == written
        process.kill()
    store = DirectoryBlobs(tmp_path)
    results = list(store.list(""))
    assert len(results) >= min(written, 3)
    for blob in results:
        content = store.read(blob.key)[0]
        assert content == content[:1] * 2_000_000
    store.write("after", b"the lock is free", Expect.ABSENT)
