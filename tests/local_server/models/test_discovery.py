"""The entries below a base path that are versions."""

import os
import tempfile
from pathlib import Path

import pytest
from cloudserve.local_server.models.discovery import (
    find_versions,
    find_versions_or_model,
    fingerprint,
    has_model,
)


def test_names_that_read_as_an_int64_are_versions(tmp_path):
    for name in ("1", "00000123", "+7", "-4", "v2", "1.5", "tmp", str(2**63), "१"):
        (tmp_path / name).mkdir()
    result = find_versions(tmp_path)
    assert result == {
        1: tmp_path / "1",
        123: tmp_path / "00000123",
        7: tmp_path / "+7",
        -4: tmp_path / "-4",
    }


def test_of_two_names_of_one_number_the_later_in_order_counts(tmp_path, caplog):
    (tmp_path / "01").mkdir()
    (tmp_path / "1").mkdir()
    for _ in range(3):
        assert find_versions(tmp_path) == {1: tmp_path / "1"}
    assert caplog.messages == [f"{tmp_path}: 1/ replaces 01/"]


def test_a_base_path_that_does_not_exist_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        find_versions(tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "version"), [("7", 7), ("model", 1)])
def test_a_saved_model_itself_is_a_version_of_its_folders_number(tmp_path, name, version):
    path = tmp_path / name
    path.mkdir()
    (path / "saved_model.pb").touch()
    assert find_versions_or_model(path) == {version: path}


def test_a_model_file_is_version_1_unless_its_folder_has_versions(tmp_path):
    file = tmp_path / "m.onnx"
    file.write_bytes(b"x")
    assert find_versions_or_model(file) == {1: file}
    assert find_versions_or_model(tmp_path) == {1: tmp_path}
    (tmp_path / "7").mkdir()
    assert find_versions_or_model(tmp_path) == {7: tmp_path / "7"}


def test_a_model_file_that_changes_has_another_fingerprint(tmp_path):
    file = tmp_path / "m.onnx"
    file.write_bytes(b"x")
    before = fingerprint(file)
    assert len(before) == 1
    file.write_bytes(b"longer")
    assert fingerprint(file) != before


def test_a_folder_that_cannot_be_listed_has_no_model():
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder, "1")
        version.mkdir(0o711)
        (version / "digits.onnx").touch()
        Path(folder).chmod(0o755)
        if user == 0:
            os.seteuid(65534)
        else:
            version.chmod(0o111)
        try:
            assert not has_model(version)
        finally:
            os.seteuid(user)
            version.chmod(0o700)
        assert has_model(version)


def test_files_that_change_have_another_fingerprint(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"half")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / "variables" / "variables.index").write_bytes(b"x")
    assert fingerprint(tmp_path) != before
    assert fingerprint(tmp_path / "nowhere") == ()
