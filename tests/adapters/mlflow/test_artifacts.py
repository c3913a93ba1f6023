"""The SavedModel in a folder of MLflow's artifacts, without MLflow."""

import shutil

import pytest
from cloudserve.adapters.mlflow.artifacts import saved_model_in

from cloudserve.errors import ModelError

URL = "models:/half/1"


@pytest.fixture
def artifacts(tmp_path):
    folder = tmp_path / "artifacts"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("place", ["tf2model", "data/model"])
def test_the_folder_that_the_flavor_names_is_found(artifacts, half_plus_two, place):
    shutil.copytree(half_plus_two, artifacts / place)
    if place == "tf2model":
        text = "flavors: {tensorflow: {saved_model_dir: tf2model}}"
        (artifacts / "MLmodel").write_text(text)
    assert saved_model_in(artifacts, URL) == artifacts / place


@pytest.mark.parametrize(
    "text",
    [
        "- x",
        "flavors: [1]",
        "flavors: {tensorflow: 5}",
        "flavors: {tensorflow: {saved_model_dir: 7}}",
    ],
)
def test_a_file_of_another_form_names_no_folder(artifacts, text):
    (artifacts / "MLmodel").write_text(text)
    with pytest.raises(ModelError, match="there is no SavedModel"):
        saved_model_in(artifacts, URL)


@pytest.mark.parametrize("content", [b"a: [", b"\xff"])
def test_a_file_that_is_not_yaml_is_refused(artifacts, content):
    (artifacts / "MLmodel").write_bytes(content)
    with pytest.raises(ModelError, match="MLmodel of this model is not YAML"):
        saved_model_in(artifacts, URL)


@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_folder_beside_the_artifacts_is_not_released(artifacts, half_plus_two, is_absolute):
    other = artifacts.parent / "other"
    shutil.copytree(half_plus_two, other)
    place = other if is_absolute else "../other"
    text = f"flavors: {{tensorflow: {{saved_model_dir: {place}}}}}"
    (artifacts / "MLmodel").write_text(text)
    with pytest.raises(ModelError, match="there is no SavedModel"):
        saved_model_in(artifacts, URL)
