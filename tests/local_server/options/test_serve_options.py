"""The models that `cloudserve serve PATH` finds, and its options."""

import pytest
from cloudserve.local_server.options.serve_options import find_models, serve_options
from cloudserve.local_server.options.server_options import BatchingOptions

from cloudserve.errors import ModelError, UserError
from cloudserve.local.servers import ServeCommand


def saved_model(path):
    path.mkdir(parents=True)
    (path / "saved_model.pb").touch()


def test_a_saved_model_directory_is_a_model_of_its_name(tmp_path):
    saved_model(tmp_path / "m")
    assert find_models(tmp_path / "m") == {"m": tmp_path / "m"}
    assert find_models(tmp_path / "m", "other") == {"other": tmp_path / "m"}


def test_a_version_directory_is_a_model_named_by_the_folder_above(tmp_path):
    saved_model(tmp_path / "m" / "00000123")
    assert find_models(tmp_path / "m" / "00000123") == {"m": tmp_path / "m" / "00000123"}


def test_a_base_path_is_a_model_of_its_name(tmp_path):
    saved_model(tmp_path / "m" / "1")
    assert find_models(tmp_path / "m") == {"m": tmp_path / "m"}


def test_a_folder_of_both_is_many_models_and_other_entries_are_ignored(tmp_path):
    saved_model(tmp_path / "b" / "1")
    saved_model(tmp_path / "a")
    (tmp_path / "data").mkdir()
    (tmp_path / "LICENSE").touch()
    assert find_models(tmp_path) == {"a": tmp_path / "a", "b": tmp_path / "b"}


def test_a_name_is_for_one_model(tmp_path):
    saved_model(tmp_path / "a")
    assert find_models(tmp_path, "other") == {"other": tmp_path / "a"}
    saved_model(tmp_path / "b")
    with pytest.raises(UserError, match=r"one name is given and .* holds 2 models"):
        find_models(tmp_path, "other")


def test_a_directory_without_models_lists_its_entries(tmp_path):
    with pytest.raises(ModelError, match="neither a SavedModel nor NUMBER/ directories"):
        find_models(tmp_path)
    with pytest.raises(ModelError, match="there is no such directory"):
        find_models(tmp_path / "nowhere")


@pytest.mark.parametrize("url", ["s3://bucket/models/half", "gs://bucket/half/"])
def test_a_url_is_a_base_path_named_by_its_last_part(url):
    (model,) = serve_options(url, ServeCommand()).config.models
    assert (model.name, model.base_path) == ("half", url)
    (model,) = serve_options(url, ServeCommand(name="other")).config.models
    assert model.name == "other"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/models/digits.onnx", "digits"),
        ("s3://bucket/models/digits/model.tflite", "digits"),
        ("s3://bucket/models/digits/3/model.onnx", "digits"),
        ("gs://bucket/base/half", "half"),
        ("gs://bucket/base/half/7/", "half"),
        ("gs://bucket/7", "bucket"),
        ("gs://bucket", "bucket"),
        ("gs://model.onnx", "model.onnx"),
    ],
)
def test_a_model_in_a_bucket_is_called_as_in_a_directory(url, name):
    (model,) = serve_options(url, ServeCommand()).config.models
    assert (model.name, model.base_path) == (name, url)


def test_a_container_serves_one_model_on_its_routes_and_looks_once(tmp_path):
    saved_model(tmp_path / "a")
    options = serve_options(tmp_path / "a", ServeCommand(container_routes=("/p", "/h")))
    routes = options.rest.container
    assert (routes.model, routes.predict, routes.health) == ("a", "/p", "/h")
    assert options.poll_seconds == 0
    saved_model(tmp_path / "b")
    with pytest.raises(UserError, match="serves one model, not a, b"):
        serve_options(tmp_path, ServeCommand(container_routes=("/p", "/h")))


def model_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_model_file_is_a_model_of_its_name_or_its_folders(tmp_path):
    for path, name in [
        ("digits.onnx", "digits"),
        ("a/model.tflite", "a"),
        ("b/7/model.onnx", "b"),
    ]:
        file = model_file(tmp_path / path)
        assert find_models(file) == {name: file}
    assert find_models(tmp_path / "a") == {"a": tmp_path / "a"}
    assert find_models(tmp_path / "b" / "7") == {"b": tmp_path / "b" / "7"}


def test_a_folder_of_model_files_is_many_models(tmp_path):
    for name in ("a.onnx", "b.tflite", "c/model.onnx", "d/1/model.tflite"):
        model_file(tmp_path / name)
    saved_model(tmp_path / "e")
    names = {"a": "a.onnx", "b": "b.tflite", "c": "c", "d": "d", "e": "e"}
    assert find_models(tmp_path) == {name: tmp_path / path for name, path in names.items()}


def test_two_models_of_one_name_are_refused(tmp_path):
    for name in ("a.onnx", "a.tflite"):
        model_file(tmp_path / name)
    with pytest.raises(UserError, match=r"a.onnx and a.tflite would both be the model a"):
        find_models(tmp_path)


def test_a_container_does_not_serve_a_model_file(tmp_path):
    text = "serves a SavedModel, not a TensorFlow Lite or ONNX file"
    for path in (model_file(tmp_path / "digits.onnx"), "gs://models/digits.onnx"):
        with pytest.raises(UserError, match=text):
            serve_options(path, ServeCommand(container_routes=("/p", "/h")))
    assert serve_options("gs://digits.onnx", ServeCommand(container_routes=("/p", "/h")))


def test_batching_is_by_costs_or_by_parameters_or_off(tmp_path):
    file = tmp_path / "parameters"
    options = {
        "by itself": serve_options("s3://b/m", ServeCommand()),
        "by rules": serve_options("s3://b/m", ServeCommand(batching_parameters=file)),
        "off": serve_options("s3://b/m", ServeCommand(batching=False)),
    }
    assert {name: one.batching for name, one in options.items()} == {
        "by itself": BatchingOptions(by_costs=True),
        "by rules": BatchingOptions(file),
        "off": None,
    }


def test_parameters_without_batching_are_refused(tmp_path):
    with pytest.raises(UserError, match="batching is turned off") as caught:
        serve_options("s3://b/m", ServeCommand(batching=False, batching_parameters=tmp_path))
    assert caught.value.where == str(tmp_path)


def test_a_link_to_a_model_file_gives_the_name(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "0a1b").touch()
    link = tmp_path / "digits.onnx"
    link.symlink_to("blobs/0a1b")
    assert find_models(link) == {"digits": link}
