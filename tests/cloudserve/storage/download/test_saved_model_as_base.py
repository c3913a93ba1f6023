"""A base path that is itself a SavedModel in a bucket: one version, complete or absent."""

import shutil

import pytest
from cloudserve.adapters.directory.storage import DirectoryBlobs

from cloudserve.errors import ConflictError
from cloudserve.savedmodel import read_tree
from cloudserve.storage.download.model_cache import ModelCache
from cloudserve.storage.events import SILENT
from cloudserve.storage.versions import find_versions, find_versions_or_model


@pytest.fixture
def model(shared_models, tmp_path):
    return shutil.copytree(shared_models / "tfs_half_plus_two_2v" / "123", tmp_path / "model")


@pytest.fixture
def store(tmp_path):
    made = DirectoryBlobs(tmp_path / "bucket")
    made.ensure(SILENT)
    return made


@pytest.fixture
def put(store, model):
    """Give what copies the model below a prefix."""

    def put(prefix, leave_out=""):
        for path in sorted(path for path in model.rglob("*") if path.is_file()):
            name = path.relative_to(model).as_posix()
            if name != leave_out:
                store.write(f"{prefix}{name}", path.read_bytes())

    return put


@pytest.mark.parametrize(
    ("base", "number"),
    [("half/", 1), ("half/7/", 7), ("half/0/", 0), ("", 1), ("half/9999999999999999999/", 1)],
)
def test_its_number_is_its_folders_name_or_1(store, put, model, tmp_path, base, number):
    put(base)
    (version,) = find_versions_or_model(store, base).values()
    assert version.number == number
    path = ModelCache(tmp_path / "cache", 1 << 30).get(store, version)
    assert read_tree(path).digest == read_tree(model).digest


def test_it_is_not_a_numbered_version(store, put):
    put("half/")
    assert find_versions(store, "half/") == {}


def test_a_base_path_of_numbers_is_still_one(store, put):
    put("half/3/")
    assert find_versions_or_model(store, "half/") == find_versions(store, "half/")
    assert find_versions_or_model(store, "half/").keys() == {3}


def test_an_incomplete_model_is_not_a_version(store, put):
    put("half/", leave_out="variables/variables.index")
    assert find_versions_or_model(store, "half/") == {}


def test_a_model_that_changes_during_the_download_is_never_a_directory(store, put, tmp_path):
    put("half/")
    (version,) = find_versions_or_model(store, "half/").values()
    store.write("half/assets.extra/late", b"late")
    cache = ModelCache(tmp_path / "cache", 1 << 30)
    with pytest.raises(ConflictError, match="changed during the download"):
        cache.get(store, version)
    assert not cache.path(version).exists()


SUFFIXES = (".tflite", ".onnx")


def found(store, base):
    """Return the number, the files and the folder of the versions at a base path."""
    versions = find_versions_or_model(store, base, SUFFIXES).values()
    return [(one.number, [blob.key for blob in one.files]) for one in versions]


def test_model_files_are_versions_where_they_are_asked_for(store):
    for number in (1, 2):
        store.write(f"lite/{number}/model.tflite", b"a model")
    assert found(store, "lite/") == [(n, [f"lite/{n}/model.tflite"]) for n in (1, 2)]
    assert find_versions_or_model(store, "lite/") == {}


def test_a_model_file_has_the_number_of_its_folder(store):
    store.write("lite/7/model.onnx", b"a model")
    store.write("lite/7/weights.bin", b"weights")
    files = ["lite/7/model.onnx", "lite/7/weights.bin"]
    assert found(store, "lite/7/") == [(7, files)]


def test_a_model_file_in_any_folder_has_none_of_its_folders(store, tmp_path):
    for name in ("digits.onnx", "digits.onnx.data", "photos/cat.png", "half/1/saved_model.pb"):
        store.write(name, name.encode())
    assert found(store, "") == [(1, ["digits.onnx", "digits.onnx.data"])]
    (version,) = find_versions_or_model(store, "", SUFFIXES).values()
    store.write("photos/dog.png", b"another")
    path = ModelCache(tmp_path / "cache", 1 << 30).get(store, version)
    assert {file.name for file in path.iterdir()} == {"digits.onnx", "digits.onnx.data"}


def test_a_model_file_may_be_named_itself(store, tmp_path):
    for name in ("digits.onnx", "digits.onnx.md", "other.tflite"):
        store.write(f"models/{name}", name.encode())
    assert found(store, "models/digits.onnx/") == [(1, ["models/digits.onnx"])]
    assert found(store, "models/absent.onnx/") == found(store, "models/digits.onnx.md/") == []
    (version,) = find_versions_or_model(store, "models/digits.onnx/", SUFFIXES).values()
    path = ModelCache(tmp_path / "cache", 1 << 30).get(store, version)
    assert [file.name for file in path.iterdir()] == ["digits.onnx"]


def test_a_model_file_that_is_replaced_during_the_download_is_refused(store, tmp_path):
    store.write("models/digits.onnx", b"old")
    (version,) = find_versions_or_model(store, "models/digits.onnx/", SUFFIXES).values()
    store.write("models/digits.onnx", b"newer")
    with pytest.raises(ConflictError, match="was replaced"):
        ModelCache(tmp_path / "cache", 1 << 30).get(store, version)


def test_a_saved_model_comes_before_a_model_file(store, put):
    put("half/")
    store.write("half/model.tflite", b"a model")
    (version,) = find_versions_or_model(store, "half/", SUFFIXES).values()
    assert version.prefix == "half/"
    assert not version.has_others
    store.write("half/variables/variables.data-00000-of-00002", b"")
    assert found(store, "half/") == []  # it is not complete, whatever lies beside it
