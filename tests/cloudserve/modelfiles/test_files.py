"""Models of one file are found by their suffixes, at a path or in a folder."""

import pytest

from cloudserve.errors import ModelError
from cloudserve.modelfiles.files import find_model_file, model_files
from cloudserve.modelfiles.kinds import Kind, has_usual_file
from cloudserve.modelfiles.model import read_model_file
from tests.model_files import write


@pytest.mark.parametrize(
    ("name", "kind"), [("a.tflite", Kind.TFLITE), ("b.onnx", Kind.ONNX), ("B.ONNX", Kind.ONNX)]
)
def test_a_file_is_found_by_itself_and_in_its_folder(tmp_path, name, kind):
    path = write(tmp_path / "1" / name, b"x")
    for where in (path, path.parent):
        found = find_model_file(where)
        assert (found.path, found.kind) == (path, kind)


def test_the_usual_name_comes_before_others(tmp_path):
    for name in ("a.onnx", "b.tflite", "model.onnx"):
        write(tmp_path / name, b"x")
    assert find_model_file(tmp_path).path.name == "model.onnx"
    assert has_usual_file(tmp_path)


def test_several_files_are_not_chosen_from(tmp_path):
    for name in ("model.onnx", "model.tflite"):
        write(tmp_path / name, b"x")
    with pytest.raises(ModelError) as caught:
        find_model_file(tmp_path)
    assert caught.value.message == "the folder has several models: model.onnx, model.tflite"


def test_a_folder_with_a_saved_model_has_no_model_file(tmp_path):
    write(tmp_path / "saved_model.pb", b"x")
    write(tmp_path / "model.tflite", b"x")
    assert model_files(tmp_path) == []
    assert not has_usual_file(tmp_path)


def test_other_paths_have_none(tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    write(tmp_path / "notes.txt", b"x")
    for name in ("", "folder.onnx", "notes.txt", "missing.onnx", "n" * 300):
        assert find_model_file(tmp_path / name) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "m.onnx is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "m.onnx is a Git LFS pointer"),
    ],
)
def test_a_file_without_content_is_named(tmp_path, data, said):
    with pytest.raises(ModelError, match=said):
        read_model_file(find_model_file(write(tmp_path / "m.onnx", data)))
