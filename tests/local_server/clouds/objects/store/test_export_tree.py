"""A prefix is exported as a directory atomically, and never outside of it."""

from __future__ import annotations

import pytest
from cloudserve.local_server.clouds.objects.store.errors import CheckoutError


def test_the_objects_below_a_prefix_become_files(store, put, tmp_path):
    put("m/1/saved_model.pb", b"graph")
    put("m/1/variables/variables.index", b"index")
    put("m/10/saved_model.pb", b"another")
    assert store.checkout("bkt", "m/1/", tmp_path / "out") == (2, 10)
    assert (tmp_path / "out/saved_model.pb").read_bytes() == b"graph"
    assert (tmp_path / "out/variables/variables.index").read_bytes() == b"index"


@pytest.mark.parametrize("prefix", ["m/1", "m/1/", "m/1//"])
def test_a_prefix_is_taken_as_a_folder_with_or_without_its_slash(store, put, tmp_path, prefix):
    put("m/1/a", b"1")
    put("m/10/a", b"2")
    assert store.checkout("bkt", prefix, tmp_path / "out") == (1, 1)


def test_the_empty_folders_of_consoles_are_omitted(store, put, tmp_path):
    for folder in ("m/", "m/assets/", "m/2/", "m//"):
        put(folder, b"")
    put("m/a", b"1")
    assert store.checkout("bkt", "m", tmp_path / "out") == (1, 1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
    assert store.usage("bkt", "m/") == (1, 1)


def test_a_key_with_content_that_ends_in_a_slash_is_not_a_folder(store, put, tmp_path):
    put("m/a/", b"1")
    assert store.usage("bkt", "m/") == (1, 1)
    with pytest.raises(CheckoutError, match="cannot be a file below 'm/'"):
        store.checkout("bkt", "m", tmp_path / "out")


def test_the_files_cannot_be_written_through_into_the_store(store, put, tmp_path):
    put("m/a", b"1")
    store.checkout("bkt", "m", tmp_path / "out")
    assert (tmp_path / "out/a").stat().st_mode & 0o222 == 0


def test_a_checkout_outlives_its_objects(store, put, tmp_path):
    put("m/a", b"1")
    store.checkout("bkt", "m", tmp_path / "out")
    store.path(store.get("bkt", "m/a")).unlink()
    assert (tmp_path / "out/a").read_bytes() == b"1"


@pytest.mark.parametrize(
    "key", ["m/../escape", "m/a/../../escape", "m//etc/passwd", "m/./a", "m/..", "m/a//b", "m/a\0b"]
)
def test_a_key_that_is_not_a_path_below_is_refused_and_leaves_nothing(store, put, tmp_path, key):
    put("m/a0", b"fine")
    put(key, b"not fine")
    with pytest.raises(CheckoutError, match="cannot be a file below 'm/'"):
        store.checkout("bkt", "m/", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_key_that_is_both_file_and_folder_is_refused_and_leaves_nothing(store, put, tmp_path):
    put("m/a", b"file")
    put("m/a/b", b"below it")
    with pytest.raises(CheckoutError, match="both a file and a folder"):
        store.checkout("bkt", "m/", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_an_empty_prefix_is_refused_and_leaves_nothing(store, tmp_path):
    with pytest.raises(CheckoutError, match="no objects under this prefix"):
        store.checkout("bkt", "nothing", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_destination_that_exists_is_left_alone(store, put, tmp_path):
    put("m/a", b"1")
    (tmp_path / "out").mkdir()
    with pytest.raises(CheckoutError, match="already exists"):
        store.checkout("bkt", "m", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
