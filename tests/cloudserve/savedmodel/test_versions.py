"""Which version is meant by a path and a number."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ModelError, UserError
from cloudserve.savedmodel import list_versions, resolve
from cloudserve.savedmodel.versions import _number


def make_model(path: Path, file: str = "saved_model.pb") -> Path:
    path.mkdir(parents=True)
    (path / file).touch()
    return path


def test_a_saved_model_directory_has_its_name_as_number(shared_models):
    path = shared_models / "tfs_half_plus_two_cpu" / "123"
    assert resolve(path) == (123, path)


def test_a_saved_model_directory_with_a_name_of_words_is_version_1(tmp_path):
    assert resolve(make_model(tmp_path / "export")) == (1, tmp_path / "export")


def test_a_saved_model_directory_with_a_name_of_words_takes_the_number_given(tmp_path):
    assert resolve(make_model(tmp_path / "export"), 7) == (7, tmp_path / "export")


def test_a_path_may_be_a_string(shared_models):
    path = shared_models / "tfs_half_plus_two_2v"
    assert resolve(str(path)) == (124, path / "124")


@pytest.mark.parametrize("file", ["saved_model.pb", "saved_model.pbtxt", "saved_model.cpb"])
def test_each_form_of_the_file_makes_a_saved_model_directory(tmp_path, file):
    assert resolve(make_model(tmp_path / "5", file)) == (5, tmp_path / "5")


def test_the_current_directory_has_the_number_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(make_model(tmp_path / "42"))
    assert resolve(".") == (42, Path())


def test_a_link_has_its_own_number_before_that_of_what_it_points_to(tmp_path):
    make_model(tmp_path / "store" / "8")
    (tmp_path / "latest").symlink_to(tmp_path / "store" / "8")
    (tmp_path / "9").symlink_to(tmp_path / "store" / "8")
    assert resolve(tmp_path / "latest")[0] == 8
    assert resolve(tmp_path / "9")[0] == 9


def test_of_a_base_path_the_highest_version_is_taken_by_number_not_by_name(tmp_path):
    for name in ("9", "10", "00000123"):
        make_model(tmp_path / name)
    assert resolve(tmp_path) == (123, tmp_path / "00000123")


def test_of_a_base_path_the_version_asked_for_is_taken(shared_models):
    path = shared_models / "tfs_half_plus_two_2v"
    assert resolve(path, 123) == (123, path / "123")


def test_a_name_that_is_not_a_decimal_int64_is_not_a_version(tmp_path):
    for name in ("1", "2a", "-3", "+4", "1e3", "٣", " 5", str(2**63), ".6"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").touch()
    assert list_versions(tmp_path) == {1: tmp_path / "1"}


@given(st.integers(0, 2**63 - 1), st.integers(0, 9))
def test_each_int64_is_a_version_whatever_its_leading_zeros(number, zeros):
    assert _number("0" * zeros + str(number)) == number


@given(st.text())
def test_any_other_name_is_ignored_and_never_an_error(name):
    assert _number(name) is None or name.isascii()


def test_an_unknown_version_is_a_user_error_that_lists_the_ones_there(shared_models):
    path = shared_models / "tfs_half_plus_two_2v"
    with pytest.raises(UserError) as raised:
        resolve(path, 7)
    assert raised.value.message == "there is no version 7"
    assert raised.value.where == str(path)
    assert raised.value.hint == "name one of these: 123, 124"


def test_another_number_than_a_saved_model_s_own_is_a_user_error(shared_models):
    path = shared_models / "tfs_half_plus_two_2v" / "123"
    with pytest.raises(UserError) as raised:
        resolve(path, 124)
    assert raised.value.message == "the SavedModel is version 123, not 124"
    assert raised.value.hint == f"give {path.parent} to choose among its versions"


def test_two_directories_of_one_number_are_refused(tmp_path):
    make_model(tmp_path / "1")
    make_model(tmp_path / "001")
    with pytest.raises(ModelError) as raised:
        resolve(tmp_path)
    assert raised.value.message == "001/ and 1/ are both version 1"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("missing", "there is no such directory"),
        ("empty", "the directory is empty"),
        ("file", "it is an empty file"),
        ("pipe", "it is a device or a pipe"),
        ("nul\0", "there is no such directory"),
        ("long" * 100, "there is no such directory"),
    ],
)
def test_a_path_without_a_model_is_refused_with_its_contents(tmp_path, name, what):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError) as raised:
        resolve(tmp_path / name)
    assert raised.value.message == f"neither a SavedModel nor NUMBER/ directories of them: {what}"
