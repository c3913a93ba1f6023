"""Numbers below a base path are versions when they are whole, and servers get them whole."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest
from cloudserve.adapters.directory.storage import DirectoryBlobs

from cloudserve import registry
from cloudserve.errors import ConflictError, ModelError, UserError
from cloudserve.savedmodel import read_tree
from cloudserve.storage.contract import Blob
from cloudserve.storage.download.model_cache import ModelCache
from cloudserve.storage.events import SILENT, Reporter
from cloudserve.storage.manifest import Origin
from cloudserve.storage.upload.file_slice import FileSlice
from cloudserve.storage.upload.outgoing import SHA256
from cloudserve.storage.versions import find_versions, find_versions_or_model, publish

ORIGIN = Origin("ada")


@pytest.fixture
def model(shared_models, tmp_path):
    """Give a real SavedModel with variables, in a folder of the test's own."""
    source = shared_models / "tfs_half_plus_two_2v" / "123"
    return shutil.copytree(source, tmp_path / "model")


@pytest.fixture
def watched(tmp_path):
    (tmp_path / "watched").mkdir()
    return DirectoryBlobs(tmp_path / "watched")


@pytest.fixture(params=["bucket", "directory"])
def place(request, faces, s3_at, bucket, tmp_path):
    """Give a bucket, and a directory as a bucket."""
    if request.param == "directory":
        made = DirectoryBlobs(tmp_path / "place")
    else:
        made = s3_at(faces["s3"], bucket)
    made.ensure(SILENT)
    return made


def names(model):
    return [str(p.relative_to(model)) for p in sorted(model.rglob("*")) if p.is_file()]


def test_a_published_version_is_found_whole(place, model):
    version = publish(place, "base/", 7, model, origin=ORIGIN)
    assert version.number == 7
    assert find_versions(place, "base/").keys() == {7}
    assert [b.key.removeprefix("base/7/") for b in version.files] == names(model)
    assert publish(place, "base/", 7, model, origin=ORIGIN) == version


def test_a_number_is_not_published_twice_with_other_bytes(place, model):
    version = publish(place, "base/", 7, model, origin=ORIGIN)
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "new").write_text("new")
    with pytest.raises(ConflictError, match="version 7 already exists and is another model"):
        publish(place, "base/", 7, model, origin=ORIGIN)
    assert find_versions(place, "base/")[7] == version


def test_in_a_directory_the_number_appears_at_once_and_whole(watched, model, tmp_path):
    observed = []

    def look(event):
        observed.append(
            sorted(p.name for p in (tmp_path / "watched").iterdir() if p.name.isdigit())
        )

    publish(watched, "", 3, model, origin=ORIGIN, reporter=Reporter(on_event=look))
    assert observed
    assert not any(observed)
    assert names(tmp_path / "watched" / "3") == names(model)
    assert [p.name for p in (tmp_path / "watched").iterdir() if "partial" in p.name] == []


def test_in_a_bucket_the_model_file_is_the_last_of_the_files(store, model, monkeypatch):
    keys = []
    real = store.put
    monkeypatch.setattr(store, "put", lambda key, *rest: (real(key, *rest), keys.append(key)))
    publish(store, "", 3, model, origin=ORIGIN)
    assert keys[-1] == "3/saved_model.pb"


@pytest.mark.parametrize("changed", ["variables/variables.index", "saved_model.pb"])
def test_a_model_that_changes_during_publication_is_not_a_version(
    place, model, monkeypatch, changed
):
    path, real = model / changed, place.put
    before = path.read_bytes()
    keys = []

    def put(key, body, metadata):
        keys.append(key)
        if key.endswith(changed):
            body.close()
            path.write_bytes(b"other" + before)
            with FileSlice(path) as other:
                return real(key, other, metadata)
        return real(key, body, metadata)

    monkeypatch.setattr(place, "put", put)
    with pytest.raises(ModelError, match="changed while it was published"):
        publish(place, "", 3, model, origin=ORIGIN)
    assert ("saved_model.pb" in keys[-1]) is (changed == "saved_model.pb")
    assert find_versions(place, "") == {}
    monkeypatch.undo()
    path.write_bytes(before)
    version = publish(place, "", 3, model, origin=ORIGIN)
    assert place.read(f"{version.prefix}{changed}")[0] == before


def test_leftovers_of_an_interrupted_publication_are_not_a_version_and_are_removed(
    store, model, tmp_path
):
    (tmp_path / "left").write_bytes(b"left")
    digest = hashlib.sha256(b"left").hexdigest()
    for name in ("variables/variables.index", "left over"):
        with FileSlice(tmp_path / "left") as body:
            store.put(f"base/7/{name}", body, {SHA256: digest})
    assert find_versions(store, "base/") == {}
    version = publish(store, "base/", 7, model, origin=ORIGIN)
    assert [b.key.removeprefix("base/7/") for b in version.files] == names(model)


def test_a_number_with_objects_of_others_is_refused_and_left_alone(store, model):
    store.write("base/7/model.tflite", b"theirs")
    before = [(blob.key, blob.token) for blob in store.list("")]
    with pytest.raises(
        ConflictError, match=r"base/7/model.tflite is not of an interrupted"
    ) as error:
        publish(store, "base/", 7, model, origin=ORIGIN)
    assert "under a number whose folder is empty" in error.value.hint
    assert [(blob.key, blob.token) for blob in store.list("")] == before


def copy_in(store, prefix, model, leave_out=""):
    for name in names(model):
        if name != leave_out:
            store.write(f"{prefix}{name}", (model / name).read_bytes())


def test_versions_that_others_copied_there_count_when_they_are_whole(place, model):
    copy_in(place, "base/1/", model)
    copy_in(place, "base/2/", model, "saved_model.pb")
    copy_in(place, "base/3/", model, "variables/variables.index")
    copy_in(place, "base/4/", model, "variables/variables.data-00000-of-00001")
    copy_in(place, "base/latest/", model)
    place.write("base/5", b"a file")
    assert find_versions(place, "base/").keys() == {1}
    assert find_versions(place, "nothing/") == {}


# The server's cache


@pytest.fixture
def cache(tmp_path) -> ModelCache:
    return ModelCache(tmp_path / "cache", 1 << 30)


def test_a_version_is_fetched_once(place, model, cache):
    publish(place, "", 1, model, origin=ORIGIN)
    (version,) = find_versions(place, "").values()
    path = cache.get(place, version)
    assert path.name == "1"
    assert read_tree(path).digest == read_tree(model).digest
    inode = (path / "saved_model.pb").stat().st_ino
    assert (cache.get(place, version) / "saved_model.pb").stat().st_ino == inode


def test_a_version_replaced_under_its_number_is_another_directory(place, model, cache):
    copy_in(place, "1/", model)
    (before,) = find_versions(place, "").values()
    first = cache.get(place, before)
    place.write("1/assets.extra/new", b"new")
    (after,) = find_versions(place, "").values()
    second = cache.get(place, after)
    assert first != second
    assert not (first / "assets.extra").exists()
    assert (second / "assets.extra" / "new").read_bytes() == b"new"


def test_a_version_that_is_still_being_copied_is_never_a_directory(place, model, cache):
    copy_in(place, "1/", model)
    data = (model / "variables/variables.data-00000-of-00001").read_bytes()
    place.write("1/variables/variables.data-00000-of-00001", data[:-1])
    (version,) = find_versions(place, "").values()
    with pytest.raises(ModelError, match="truncated"):
        cache.get(place, version)
    assert not cache.path(version).exists()


def test_a_version_that_changes_while_it_is_fetched_is_never_a_directory(place, model, cache):
    copy_in(place, "1/", model)
    (version,) = find_versions(place, "").values()
    place.write("1/assets.extra/late", b"late")
    with pytest.raises(ConflictError, match="changed during the download"):
        cache.get(place, version)
    assert not cache.path(version).exists()


def test_the_cache_stays_within_its_limit_and_keeps_served_versions(place, model, tmp_path):
    size = read_tree(model).size
    cache = ModelCache(tmp_path / "cache", int(2.5 * size))
    paths = []
    for number in (1, 2, 3):
        copy_in(place, f"{number}/", model)
        version = find_versions(place, "")[number]
        paths.append(cache.get(place, version, keep=paths[:1]))
        os.utime(paths[-1].parent, (number, number))
    assert [path.is_dir() for path in paths] == [True, False, True]


def test_the_cache_evicts_no_folder_of_others(place, model, tmp_path):
    """CLOUDSERVE_MODEL_CACHE may name a folder that has other folders."""
    precious = tmp_path / "variables" / "precious"
    precious.parent.mkdir()
    precious.write_bytes(bytes(1000))
    copy_in(place, "1/", model)
    (version,) = find_versions(place, "").values()
    assert ModelCache(tmp_path, 1).get(place, version).is_dir()
    assert precious.exists()


# The door


def test_a_url_opens_its_bucket(faces, bucket, tmp_path):
    environ = {
        "AWS_ENDPOINT_URL": faces["s3"],
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "STORAGE_EMULATOR_HOST": faces["gcs"],
    }
    for url, prefix in ((f"s3://{bucket}/a/b", "a/b/"), (f"gs://{bucket}-g", "")):
        store, result = registry.bucket(url, environ)
        assert result == prefix
        store.ensure(SILENT)
        store.write(f"{result}key", b"x")
        assert [blob.key for blob in store.list(result)] == [f"{result}key"]
    store, result = registry.bucket(f"file://{tmp_path}/a%20b", environ)
    assert (store.url, result) == (f"file://{tmp_path}/a b", "")


@pytest.mark.parametrize("url", ["ftp://host/x", "/a/path", "s3://", "gs://UPPER", "file://host/x"])
def test_a_url_that_is_not_a_buckets_is_refused(url):
    with pytest.raises(UserError) as error:
        registry.bucket(url, {})
    assert url in error.value.message
    assert error.value.hint is not None


FOLDERS = ("", "5/", "5/variables/", "5/assets/", "5/assets.extra/", "6/", ".cloudserve/")


def copy_by_hand(place, model, number):
    """Put a model's files under a number, as a console or another program does."""
    for name in names(model):
        place.write(f"base/{number}/{name}", (model / name).read_bytes())


def test_the_empty_folders_of_consoles_hide_no_version(place, model, tmp_path):
    copy_by_hand(place, model, 5)
    before = find_versions(place, "base/")[5]
    for folder in FOLDERS:
        place.write(f"base/{folder}", b"")
    result = find_versions(place, "base/")
    assert result == {5: before}
    path = ModelCache(tmp_path / "cache", 1 << 30).get(place, result[5])
    assert read_tree(path).digest == read_tree(model).digest
    assert find_versions_or_model(place, "base/5/")[5].fingerprint == before.fingerprint


def test_a_bucket_that_lists_folders_hides_no_version_either(place, model, monkeypatch, tmp_path):
    copy_by_hand(place, model, 5)
    before = find_versions(place, "base/")
    listed = list(place.list("base/"))
    folders = [Blob(f"base/{folder}", 0, "token") for folder in FOLDERS]
    monkeypatch.setattr(type(place), "list", lambda self, prefix: iter([*folders, *listed]))
    assert find_versions(place, "base/") == before


def test_a_published_number_is_the_same_when_folders_were_made_in_it(place, model):
    version = publish(place, "base/", 5, model, origin=ORIGIN)
    for folder in FOLDERS:
        place.write(f"base/{folder}", b"")
    assert publish(place, "base/", 5, model, origin=ORIGIN) == version
