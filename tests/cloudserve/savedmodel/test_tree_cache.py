"""Digests are remembered by what a file looks like from outside, and never wrongly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloudserve.savedmodel import DigestCache, read_tree, tree
from cloudserve.savedmodel.tree_cache import FileState

LONG_AGO = 1_600_000_000_000_000_000


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "model"
    (root / "variables").mkdir(parents=True)
    (root / "saved_model.pb").write_bytes(b"graph")
    (root / "variables/variables.index").write_bytes(b"index")
    return root


@pytest.fixture
def cache(tmp_path) -> DigestCache:
    return DigestCache(tmp_path / "cache")


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """Give the names of the files that were read to be hashed."""
    names: list[str] = []
    real = tree._hash
    monkeypatch.setattr(tree, "_hash", lambda root, name: names.append(name) or real(root, name))
    return names


@pytest.fixture
def settled(monkeypatch):
    """Let files written just now count as settled: the clock is an hour ahead."""
    real = tree.time.time_ns
    monkeypatch.setattr(tree.time, "time_ns", lambda: real() + 3600 * 10**9)


@pytest.mark.usefixtures("settled")
def test_a_tree_that_did_not_change_is_not_read_again(root, cache, hashed):
    first = read_tree(root, cache)
    assert sorted(hashed) == ["saved_model.pb", "variables/variables.index"]
    hashed.clear()
    assert read_tree(root, cache) == first
    assert hashed == []


@pytest.mark.usefixtures("settled")
def test_a_file_that_changed_is_read_again_and_only_it(root, cache, hashed):
    before = read_tree(root, cache)
    hashed.clear()
    (root / "saved_model.pb").write_bytes(b"other")
    after = read_tree(root, cache)
    assert hashed == ["saved_model.pb"]
    assert after.digest != before.digest
    assert after == read_tree(root)


@pytest.mark.usefixtures("settled")
def test_a_file_rewritten_with_its_old_size_and_time_is_noticed(root, cache):
    file = root / "saved_model.pb"
    os.utime(file, ns=(LONG_AGO, LONG_AGO))
    read_tree(root, cache)
    file.write_bytes(b"GRAPH")
    os.utime(file, ns=(LONG_AGO, LONG_AGO))
    assert read_tree(root, cache) == read_tree(root)


@pytest.mark.parametrize(
    ("written", "age", "is_remembered"),
    [
        (123_456_789, 50_000_000, False),
        (123_456_789, 150_000_000, True),
        (0, 1_500_000_000, False),
        (0, 2_500_000_000, True),
    ],
    ids=["just now", "before", "just now by a coarse clock", "before by a coarse clock"],
)
def test_a_file_is_remembered_when_another_write_would_show(written, age, is_remembered):
    state = FileState(1, 2, 3, LONG_AGO + written, LONG_AGO + written)
    assert state.is_settled(LONG_AGO + written + age) is is_remembered


def test_a_file_written_just_now_is_not_remembered(root, cache, hashed, monkeypatch):
    newest = max(path.stat().st_ctime_ns for path in root.rglob("*"))
    monkeypatch.setattr(tree.time, "time_ns", lambda: newest)
    read_tree(root, cache)
    hashed.clear()
    read_tree(root, cache)
    assert sorted(hashed) == ["saved_model.pb", "variables/variables.index"]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "content",
    [b"", b"not json", b'{"digests":[[1,2,3,4,5,"x"]]}', b'{"digests":7}', b"\xff" * 100],
)
def test_a_broken_cache_is_ignored(root, cache, tmp_path, content):
    whole = read_tree(root, cache)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(content)
    assert read_tree(root, cache) == whole
    assert len(file.read_bytes()) > len(content)


@pytest.mark.usefixtures("settled")
def test_an_invalid_cached_digest_is_ignored(root, cache, tmp_path):
    whole = read_tree(root, cache)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes().replace(whole.files[0].sha256.encode(), b"../../etc"))
    assert read_tree(root, cache) == whole


@pytest.mark.usefixtures("settled")
def test_a_folder_that_others_can_write_to_is_not_used(root, cache, tmp_path, hashed):
    read_tree(root, cache)
    (tmp_path / "cache").chmod(0o777)
    hashed.clear()
    read_tree(root, cache)
    assert len(hashed) == 2


@pytest.mark.usefixtures("settled")
def test_a_cache_folder_that_cannot_be_created_is_not_an_error(root, tmp_path):
    (tmp_path / "file").touch()
    assert read_tree(root, DigestCache(tmp_path / "file/cache")) == read_tree(root)


@pytest.mark.usefixtures("settled")
def test_the_folder_and_its_files_are_the_users_own(root, cache, tmp_path):
    read_tree(root, cache)
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert [f.stat().st_mode & 0o077 for f in (tmp_path / "cache").iterdir()] == [0]


@pytest.mark.usefixtures("settled")
def test_digests_that_nobody_asked_for_in_a_season_are_forgotten(root, cache, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(root, other)
    read_tree(other, cache)
    (file,) = (tmp_path / "cache").iterdir()
    os.utime(file, ns=(LONG_AGO, LONG_AGO))
    read_tree(root, cache)
    assert not file.exists()


WRITER = """
import sys, time
from pathlib import Path
from cloudserve.savedmodel import DigestCache, read_tree, tree
from cloudserve.savedmodel.tree_cache import FileState
real = tree.time.time_ns
tree.time.time_ns = lambda: real() + 3600 * 10**9
for _ in range(100):
    read_tree(Path(sys.argv[1]), DigestCache(Path(sys.argv[2])))
    for file in Path(sys.argv[2]).glob("*.json"):
        file.unlink(missing_ok=True)
"""


def test_processes_that_write_at_once_leave_a_whole_file(root, cache, tmp_path):
    folder = tmp_path / "cache"
    command = [sys.executable, "-c", WRITER, str(root), str(folder)]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert read_tree(root, cache) == read_tree(root)
    assert list(folder.glob(".new-*")) == []


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/cloudserve/digests"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/cloudserve/digests"),
        ({"HOME": "/h"}, "/h/.cache/cloudserve/digests"),
    ],
)
def test_the_folder_is_where_xdg_says(environ, folder):
    result = DigestCache.from_environment(environ)
    assert result is not None
    assert result._folder == Path(folder)


def test_without_a_home_nothing_is_remembered():
    assert DigestCache.from_environment({}) is None
