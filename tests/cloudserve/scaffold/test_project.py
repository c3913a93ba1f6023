"""`cloudserve init`: the file loads for any folder names, or is not written."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cloudserve import registry
from cloudserve.errors import UserError
from cloudserve.project import PROJECT_NAME, PROJECT_NAME_LIMIT, load_project
from cloudserve.scaffold import SKIPPED_FOLDERS, TARGETS, project_name, write_project

SCHEMA = files("cloudserve") / "project.schema.json"


def with_models(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "saved_model.pb").write_bytes(b"")
    return folder


def models_of(folder):
    path, _ = write_project(folder)
    return {name: model.path for name, model in load_project(path).models.items()}


ODD = ["true", "Null", "1e5", "0x1F", "a: b", "- a", "~", "don't", '"q"', "two\nlines", "a #b"]


@pytest.mark.parametrize("name", ODD)
def test_a_folder_name_that_needs_quotes_in_yaml_is_read_back(tmp_path, name):
    with_models(tmp_path, name)
    assert list(models_of(tmp_path).values()) == [tmp_path / name]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("fraud", "fraud"),
        ("My Models (v2)", "my-models-v2"),
        ("2024_fraud", "fraud"),
        ("Null", "null"),
        ("a" * 60, "a" * 40),
        ("a" * 39 + "-b", "a" * 39),
        ("模型", ""),
        ("42", ""),
    ],
)
def test_the_project_is_named_after_its_folder(tmp_path, folder, name):
    path, _ = write_project(with_models(tmp_path / folder, "m"))
    assert load_project(path).name == name


folder_names = st.text(min_size=1, max_size=60).filter(
    lambda name: (
        "/" not in name
        and "\0" not in name
        and not name.startswith(".")
        and name != "cloudserve.yaml"
        and len(name.encode("utf-8", "replace")) < 200
    )
)


@given(st.sets(folder_names, min_size=1, max_size=4))
def test_the_file_loads_for_any_folders(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("project")
    try:
        with_models(folder, *names)
    except (OSError, UnicodeEncodeError):
        return  # a name that this file system does not take
    if not any(name.isdecimal() for name in names):
        assert sorted(models_of(folder).values()) == sorted(folder / name for name in names)


@pytest.mark.parametrize("mark", SKIPPED_FOLDERS)
def test_folders_of_the_offline_clouds_and_environments_are_skipped(tmp_path, mark):
    with_models(tmp_path, "m", "rehearsal/served/m")
    (tmp_path / "rehearsal" / mark).touch()
    assert list(models_of(tmp_path)) == ["m"]


def test_supported_platforms_are_written_by_default(tmp_path):
    path, _ = write_project(with_models(tmp_path, "m"))
    assert list(load_project(path).targets) == ["vertex", "aws"]


@given(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=4))
def test_the_named_targets_are_written_in_order(tmp_path_factory, names):
    folder = with_models(tmp_path_factory.mktemp("project"), "m")
    path, _ = write_project(folder, targets=names)
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(SCHEMA.read_text()))
    project = load_project(path, environ={})
    assert list(project.targets) == list(dict.fromkeys(names))
    for target in project.targets.values():
        registry.provider(target, {})  # raises for a field that is missing or unknown


def test_similar_long_names_stay_distinct_and_within_the_limit(tmp_path):
    long = "m" * 60
    assert len(models_of(with_models(tmp_path, long + "1", long + "2", long + "3"))) == 3


def test_the_folder_itself_may_be_a_numbered_saved_model(tmp_path):
    folder = with_models(tmp_path, "1") / "1"
    assert list(models_of(folder).values()) == [folder]


def test_a_missing_folder_has_no_models(tmp_path):
    with pytest.raises(UserError, match="there is no SavedModel in this folder"):
        write_project(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    with pytest.raises(UserError, match="cannot be written: Permission denied") as caught:
        write_project(with_models(tmp_path, "m"))
    assert caught.value.where == str(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


@given(folder_names)
def test_a_project_name_is_valid_for_any_folder_name(name):
    made = project_name(Path("/") / name)
    assert not made or (PROJECT_NAME.fullmatch(made) and len(made) <= PROJECT_NAME_LIMIT)


def test_accents_of_a_folder_name_are_left_out(tmp_path):
    assert project_name(Path("/Modèles déployés")) == "modeles-deployes"
    with_models(tmp_path, "modèle", "größe 2")
    assert sorted(models_of(tmp_path)) == ["groe-2", "modele"]
